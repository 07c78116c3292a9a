// app/progress.h: one line on standard error that is redrawn while work goes on, as wide as the terminal; where
// standard error is not a terminal, a plain line each tenth of the way.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace eyrie {

// "1:05" or "2:03:09"; what is left, rounded up.
std::string format_duration(double seconds);
// label, bar, share and details in less than `width` columns, as many of the details as fit beside a bar of five; where
// not even the first fits, the bar goes.
std::string format_progress(std::string_view label, double share, const std::vector<std::string>& details, int width);

class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar() { end(); }
  void update(int64_t done, int64_t total, const std::vector<std::string>& details);  // the most important first
  void end();  // the line; the next update begins another

 private:
  std::string label_;
  bool terminal_;
  bool drawn_ = false;
  int last_tenth_ = -1;
  Stopwatch since_drawn_;
};

}  // namespace eyrie
