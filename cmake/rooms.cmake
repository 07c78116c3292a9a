# One library per room of src/. `eyrie_room(NAME after...)`: the rooms NAME may include, as docs/architecture.md lists them
# (tools/check_rooms.py holds the two against each other and against the #include lines).
#   x.cpp        the room's library; x.cu (and x_cases.cu, x_test.cu) likewise, in a build with CUDA
#   x_cases.cpp  what the harness runs, and what that needs: linked by the tests, by the cases of later rooms and by
#                `eyrie bench`
#   x_test.cpp   the room's GoogleTest binary
function(eyrie_room name)
  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  set(patterns ${dir}/*.cpp)
  if(EYRIE_CUDA)
    list(APPEND patterns ${dir}/*.cu)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${patterns})
  set(tests ${sources})
  set(cases ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.(cpp|cu)$")
  list(FILTER cases INCLUDE REGEX "_cases\\.(cpp|cu)$")
  list(FILTER sources EXCLUDE REGEX "_(test|cases)\\.(cpp|cu)$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(TRANSFORM ARGN PREPEND eyrie_ OUTPUT_VARIABLE after)

  if(sources)
    add_library(eyrie_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(eyrie_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(eyrie_${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(eyrie_${name} ${scope} ${after} Threads::Threads fmt::fmt)

  set(cases_after "")
  foreach(room ${after})
    if(TARGET ${room}_cases)
      list(APPEND cases_after ${room}_cases)
    endif()
  endforeach()
  if(cases)
    add_library(eyrie_${name}_cases STATIC ${cases})
    target_link_libraries(eyrie_${name}_cases PUBLIC eyrie_${name} eyrie_testing ${cases_after})
  endif()
  if(EYRIE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE eyrie_${name} eyrie_testing ${cases_after} GTest::gtest_main)
    if(cases)
      target_link_libraries(${name}_test PRIVATE eyrie_${name}_cases)
    endif()
    target_compile_definitions(${name}_test PRIVATE EYRIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set(properties TIMEOUT 600)
    gtest_discover_tests(${name}_test TEST_FILTER -*Gpu* DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
    # What needs a device stands in suites named Gpu...; they skip themselves where there is none.
    gtest_discover_tests(${name}_test TEST_FILTER *Gpu* DISCOVERY_TIMEOUT 60
                         PROPERTIES ${properties} LABELS gpu RESOURCE_LOCK gpu)
  endif()
endfunction()

eyrie_room(base)
eyrie_room(cuda base)
eyrie_room(tensor base cuda)
eyrie_room(testing tensor)
eyrie_room(io tensor)
eyrie_room(comm tensor)
eyrie_room(ops tensor)
eyrie_room(attention ops)
eyrie_room(text io)
eyrie_room(data text)
eyrie_room(model attention io comm)
eyrie_room(speculative model)
eyrie_room(train speculative data)
eyrie_room(eval speculative data)
eyrie_room(app train eval text data testing)

# The built-in chat templates are texts in assets/; the program carries them.
file(GLOB templates CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/assets/chat_templates/*.jinja)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${templates})
set(rows "")
foreach(template ${templates})
  get_filename_component(name ${template} NAME_WLE)
  file(READ ${template} text)
  string(APPEND rows "    {\"${name}\", R\"jinja(${text})jinja\"},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/built_in_templates.cpp @ONLY CONTENT [[
#include "text/chat_template.h"
namespace eyrie {
std::span<const BuiltInTemplate> built_in_templates() {
  static constexpr BuiltInTemplate kTemplates[] = {
@rows@  };
  return kTemplates;
}
}  // namespace eyrie
]])
target_sources(eyrie_text PRIVATE ${CMAKE_BINARY_DIR}/built_in_templates.cpp)

# Libraries that one room alone includes.
function(eyrie_room_uses name)
  get_target_property(type eyrie_${name} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")  # a room without sources yet
    target_link_libraries(eyrie_${name} PRIVATE ${ARGN})
  endif()
endfunction()
eyrie_room_uses(base spdlog::spdlog)
eyrie_room_uses(testing PkgConfig::libhwy)
if(EYRIE_CUDA)
  eyrie_room_uses(tensor ${CMAKE_DL_LIBS})  # cuBLASLt is opened when it is first needed
endif()
eyrie_room_uses(ops PkgConfig::libhwy)
eyrie_room_uses(attention PkgConfig::libhwy)
eyrie_room_uses(app PkgConfig::tomlplusplus)
eyrie_room_uses(text PkgConfig::libpcre2-8 PkgConfig::libutf8proc)

add_executable(eyrie src/app/main.cpp)
target_link_libraries(eyrie PRIVATE eyrie_app)
set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/app/main.cpp ${CMAKE_SOURCE_DIR}/src/app/train.cpp
             APPEND PROPERTY COMPILE_DEFINITIONS EYRIE_VERSION="${PROJECT_VERSION}")
foreach(room ops attention speculative train)
  if(TARGET eyrie_${room}_cases)
    target_link_libraries(eyrie_app PUBLIC eyrie_${room}_cases)
  endif()
endforeach()

if(EYRIE_TESTS)
  # End to end: the program itself as a child process.
  file(GLOB end_to_end CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*.cpp)
  add_executable(end_to_end_test ${end_to_end})
  add_dependencies(end_to_end_test eyrie)
  target_link_libraries(end_to_end_test PRIVATE eyrie_data eyrie_testing GTest::gtest_main)
  target_compile_definitions(
    end_to_end_test PRIVATE EYRIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" EYRIE_PROGRAM="$<TARGET_FILE:eyrie>")
  gtest_discover_tests(end_to_end_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS e2e TIMEOUT 600)

  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME rooms COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/check_rooms.py ${CMAKE_SOURCE_DIR})
  add_test(NAME room_lines COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/check_rooms.py --lines ${CMAKE_SOURCE_DIR})
  if(EYRIE_CUDA)
    add_test(NAME kernel_resources
             COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/kernel_resources.py check ${CMAKE_BINARY_DIR})
  endif()
  add_test(NAME docs COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/check_docs.py ${CMAKE_SOURCE_DIR})
  add_test(NAME tour COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/check_tour.py ${CMAKE_SOURCE_DIR})
endif()

# Leaf loops keep their sums in arrays of vectors: -O2 would leave those in memory, -O3 unrolls them into registers.
set_source_files_properties(
  src/attention/cpu/tile_loops.cpp src/attention/cpu/attend_block.cpp src/ops/linear_many_rows.cpp
  src/ops/linear_gradients.cpp
  PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3>")
