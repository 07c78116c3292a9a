// base/named.h: tables whose rows have a `name`: the row of a name, and all names for the message when there is none.
#pragma once
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace eyrie {

// Null when there is none.
template <typename Table>
auto find_named(const Table& table, std::string_view name) -> decltype(&*std::begin(table)) {
  const auto found =
      std::find_if(std::begin(table), std::end(table), [&](const auto& row) { return row.name == name; });
  return found == std::end(table) ? nullptr : &*found;
}

// "a, b, c"
template <typename Table>
std::string names_of(const Table& table, std::string_view separator = ", ") {
  std::string names;
  for (const auto& row : table) names.append(names.empty() ? "" : separator).append(row.name);
  return names;
}

}  // namespace eyrie
