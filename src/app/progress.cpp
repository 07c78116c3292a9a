#include "app/progress.h"

#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace eyrie {
namespace {

constexpr double kRedrawSeconds = 0.1;

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(std::max(seconds, 0.0)));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string format_progress(std::string_view label, double share, const std::vector<std::string>& details, int width) {
  constexpr int kWidestBar = 30, kNarrowestBar = 5, kBrackets = 3;  // " []"
  std::string tail = fmt::format(" {:3}%", static_cast<int>(100 * share));
  int room = width - 1 - kBrackets - kNarrowestBar - static_cast<int>(label.size() + tail.size());
  for (const std::string& detail : details) {
    room -= static_cast<int>(detail.size()) + 2;
    if (room < 0 && &detail != &details[0]) break;
    tail += "  " + detail;
  }
  std::string line(label);
  const int bar = std::min(width - 1 - kBrackets - static_cast<int>(label.size() + tail.size()), kWidestBar);
  if (bar >= kNarrowestBar) {
    const int filled = static_cast<int>(share * bar);
    line += fmt::format(" [{:#<{}}{:.<{}}]", "", filled, "", bar - filled);
  }
  line += tail;
  if (static_cast<int>(line.size()) >= width) line.resize(static_cast<size_t>(std::max(width - 1, 0)));
  return line;
}

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressBar::end() {
  if (drawn_) std::fputc('\n', stderr);
  drawn_ = false;
}

void ProgressBar::update(int64_t done, int64_t total, const std::vector<std::string>& details) {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  if (terminal_) {
    if (drawn_ && done < total && since_drawn_.seconds() < kRedrawSeconds) return;
    std::fprintf(stderr, "\r%s\033[K", format_progress(label_, share, details, terminal_width()).c_str());
    since_drawn_ = Stopwatch();
    drawn_ = true;
  } else if (const int tenth = static_cast<int>(10 * share); tenth > last_tenth_) {
    fmt::print(stderr, "{} {}%  {}\n", label_, static_cast<int>(100 * share), fmt::join(details, "  "));
    last_tenth_ = tenth;
  }
  std::fflush(stderr);
}

}  // namespace eyrie
