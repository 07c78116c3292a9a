// base/counted.h: "1 step", "2 steps".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace eyrie {

// `many`: the plural where an s behind `one` is none.
inline std::string counted(int64_t count, std::string_view one, std::string_view many = "") {
  std::string text = std::to_string(count) + " ";
  if (count == 1 || many.empty()) text += one;
  if (count != 1) text += many.empty() ? "s" : many;
  return text;
}

}  // namespace eyrie
