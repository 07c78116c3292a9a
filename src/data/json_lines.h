// data/json_lines.h: JSONL files line by line, with the lines that do not fit counted and named (spec §11).
#pragma once
#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "io/json.h"

namespace eyrie {

// Calls visit(line as JSON) for each line that is not blank; an Error that visit throws gets the place "path:line".
void for_each_json_line(std::istream& lines, const std::string& place, const std::function<void(const Json&)>& visit);
void for_each_json_line(const std::string& path, const std::function<void(const Json&)>& visit);

// A text as it is, any other value as JSON writes it: ids and answers may be numbers.
std::string text_or_json(const Json& value);

// Lines that cannot be read, or that `visit` refused with Error{input} or Error{file}.
struct UnfitLines {
  int64_t lines = 0;               // in all, blank ones apart
  int64_t unfit = 0;               // of them
  std::vector<std::string> first;  // "path:7: why" of a few

  // Error{file} when more than `share` of the lines are unfit; else one warning that names the first, if there is any.
  void expect_few(const std::string& path, double share) const;
};

// As for_each_json_line, but a line that does not fit is passed over. `unfit(line, why)` hears of each.
UnfitLines for_each_fit_line(const std::string& path, const std::function<void(const Json&, int64_t line)>& visit,
                             const std::function<void(const std::string& why)>& unfit = {});

}  // namespace eyrie
