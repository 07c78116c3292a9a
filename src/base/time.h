// base/time.h: seconds since a moment, on the clock that never jumps; and the time of day.
#pragma once
#include <chrono>
#include <string>

namespace eyrie {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  // The seconds since construction or the last lap.
  double lap() {
    const auto now = Clock::now();
    const double elapsed = std::chrono::duration<double>(now - lap_).count();
    lap_ = now;
    return elapsed;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now(), lap_ = start_;
};

std::string utc_now();  // ISO 8601: "2026-11-30T16:22:11.123Z"

}  // namespace eyrie
