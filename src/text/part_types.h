// text/part_types.h: one table per kind of tokenizer part: {"type": NAME, ...} -> the object that does it.
#pragma once
#include <fmt/core.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/named.h"
#include "io/json.h"

namespace eyrie {

template <typename Part>
struct PartType {
  std::string_view name;
  std::unique_ptr<const Part> (*make)(const Json&);
};

template <typename Part, typename Kind>
std::unique_ptr<const Part> make_part(const Json& json) {
  return std::make_unique<Kind>(json);
}

template <typename Part, typename Kind>
std::unique_ptr<const Part> make_plain_part(const Json&) {
  return std::make_unique<Kind>();
}

[[noreturn]] inline void refuse_type(std::string_view kind, std::string_view type, const std::string& supported) {
  throw Error(ErrorKind::file, "",
              fmt::format("{} type \"{}\" is not supported; supported: {}", kind, type, supported));
}

template <typename Part>
std::unique_ptr<const Part> read_part(std::string_view kind, std::span<const PartType<Part>> types, const Json& json) {
  const std::string& name = json.text("type");
  if (const auto* found = find_named(types, name)) return found->make(json);
  refuse_type(kind, name, names_of(types));
}

}  // namespace eyrie
