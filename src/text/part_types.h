// text/part_types.h: one table per kind of tokenizer part: {"type": NAME, ...} -> the function that does it.
#pragma once
#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/named.h"
#include "io/json.h"

namespace eyrie {

template <typename Part>
struct PartType {
  std::string_view name;
  Part (*make)(const Json&);
};

[[noreturn]] inline void refuse_type(std::string_view kind, std::string_view type, const std::string& supported) {
  throw Error(ErrorKind::file, "",
              fmt::format("{} type \"{}\" is not supported; supported: {}", kind, type, supported));
}

template <typename Types>
auto read_part(std::string_view kind, const Types& types, const Json& json) {
  const std::string& name = json.text("type");
  const auto* found = find_named(types, name);
  if (!found) refuse_type(kind, name, names_of(types));
  return found->make(json);
}

// One after the other.
template <typename Part, typename Read>
Part in_sequence(const Json::Array& list, Read read) {
  std::vector<Part> parts;
  for (const Json& part : list) parts.push_back(read(&part));
  return [parts = std::move(parts)](auto& work) {
    for (const Part& part : parts) part(work);
  };
}

}  // namespace eyrie
