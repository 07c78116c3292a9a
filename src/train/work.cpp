#include "train/work.h"

namespace eyrie {

WorkClock::WorkClock(Exec& exec) : exec_(exec) {
  if constexpr (kHasCuda) {
    if (exec.device != Device::cuda || exec.planning) return;
    begin_ = cuda::Event::create();
    begin_.record(exec.stream);
  }
}

void WorkClock::lap(std::optional<Work> kind) {
  if constexpr (kHasCuda) {
    if (begin_) {
      under_way_.push_back({kind, cuda::Event::create()});
      return under_way_.back().end.record(exec_.stream);
    }
  }
  const double seconds = watch_.lap();
  if (kind) passed_[*kind] += seconds;
}

WorkShares WorkClock::take() {
  WorkShares sums = std::exchange(passed_, {});
  if constexpr (kHasCuda) {
    while (!under_way_.empty() && under_way_.front().end.reached()) {
      Lap& lap = under_way_.front();
      if (lap.kind) sums[*lap.kind] += lap.end.milliseconds_since(begin_) * 1e-3;
      begin_ = std::move(lap.end);
      under_way_.pop_front();
    }
  }
  return sums;
}

}  // namespace eyrie
