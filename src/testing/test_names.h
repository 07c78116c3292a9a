// testing/test_names.h: names of parametrized tests out of any text.
#pragma once
#include <algorithm>
#include <cctype>
#include <string>

namespace eyrie::testing {

// For INSTANTIATE_TEST_SUITE_P over names: letters and digits stay, all else is an underscore.
inline constexpr auto word_name = [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
};

}  // namespace eyrie::testing
