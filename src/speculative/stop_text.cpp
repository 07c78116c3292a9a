#include "speculative/stop_text.h"

#include <algorithm>

#include "base/error.h"

namespace eyrie {

StopText::StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_)
    if (stop.empty()) throw Error(ErrorKind::usage, "stop", "expected some text, found none");
  std::stable_sort(stops_.begin(), stops_.end(), [](auto& a, auto& b) { return a.size() > b.size(); });
}

std::string StopText::push(std::string_view piece) {
  std::string out;
  for (const char byte : piece) {
    if (found_) break;
    held_ += byte;
    for (const std::string& stop : stops_) {
      if (!held_.ends_with(stop)) continue;
      found_ = true;
      out.append(held_, 0, held_.size() - stop.size());
      held_.clear();
      break;
    }
    auto begins_a_stop = [&](size_t from) {
      const std::string_view end = std::string_view(held_).substr(from);
      return std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) { return stop.starts_with(end); });
    };
    size_t from = 0;
    while (from < held_.size() && !begins_a_stop(from)) ++from;
    out.append(held_, 0, from);
    held_.erase(0, from);
  }
  return out;
}

std::string StopText::finish() {
  std::string rest;
  rest.swap(held_);
  return rest;
}

}  // namespace eyrie
