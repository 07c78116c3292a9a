# CUDA as a language of the build: which GPUs, which flags, and what is kept of the compiler's report on each kernel.
if(NOT DEFINED CMAKE_CUDA_COMPILER AND EXISTS /usr/local/cuda/bin/nvcc)
  set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
endif()
set(CMAKE_CUDA_ARCHITECTURES ${EYRIE_CUDA_ARCHITECTURES})
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know that nvcc has it
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG -lineinfo")
list(APPEND CMAKE_BUILD_RPATH /usr/local/cuda/lib64)  # cuBLASLt

# Relaxed constexpr: View and the conversions of tensor/dtype.h also run in kernels. -Wshadow of the host compiler reads
# what nvcc generates, and is left out.
add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Werror=all-warnings;-Xcompiler=-Wall,-Wextra,-Werror,-ffp-contract=off>")

# ptxas reports registers and spills of every kernel; the launcher moves that report beside the object, where
# tools/kernel_resources.py check reads it.
find_package(Python3 COMPONENTS Interpreter)
set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
if(Python3_Interpreter_FOUND)
  list(PREPEND CMAKE_CUDA_COMPILER_LAUNCHER ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/kernel_resources.py compile)
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=-v>")
endif()
