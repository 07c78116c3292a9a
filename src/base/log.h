// base/log.h: lines for the person who runs the program, on standard error. Data goes to standard output, never through
// here.
#pragma once
#include <string_view>

namespace eyrie {

void log_info(std::string_view line);
void log_info_once(std::string_view line);  // the same line only once in a process
void log_warning(std::string_view line);
void set_log_quiet(bool quiet);  // hides info; warnings stay

}  // namespace eyrie
