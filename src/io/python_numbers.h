// io/python_numbers.h: numbers that Python's json writes and reads and JSON does not have: NaN, Infinity, -Infinity,
// and numbers beyond a double, which it takes for infinite. Private to the room.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

struct PythonNumbers {
  std::string text;            // the text with a number `marker` in place of each
  std::string marker;          // a JSON number that the text does not hold otherwise
  std::vector<double> values;  // what the markers stand for, in their order
};
// Lines stay where they are. Nothing inside strings is touched.
PythonNumbers take_out_python_numbers(std::string_view text);

}  // namespace eyrie
