// train/work.h: where the seconds and the floating-point operations of a step go, by kind of work.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/time.h"
#include "tensor/exec.h"

namespace eyrie {

enum class Work { target, fc, layer, attention, loss, optimizer, other };
inline constexpr std::array<const char*, 7> kWorkNames = {"target", "fc",        "layer", "attention",
                                                          "loss",   "optimizer", "other"};

struct WorkShares {
  std::array<double, kWorkNames.size()> of{};
  double& operator[](Work kind) { return of[static_cast<size_t>(kind)]; }
  double operator[](Work kind) const { return of[static_cast<size_t>(kind)]; }
  double total() const {
    double sum = 0;
    for (const double one : of) sum += one;
    return sum;
  }
};

// The time of steps by kind: on a CPU as it passes, on a GPU between events of the exec's stream.
class WorkClock {
 public:
  explicit WorkClock(Exec& exec);
  void lap(std::optional<Work> kind);  // the time since the last lap; empty: it is nobody's
  // Of the laps since it was last asked; on a GPU those that are over, without waiting for the others.
  WorkShares take();

 private:
  struct Lap {
    std::optional<Work> kind;
    cuda::Event end;
  };
  Exec& exec_;
  Stopwatch watch_;
  WorkShares passed_;  // on a CPU
  cuda::Event begin_;  // on a GPU
  std::deque<Lap> under_way_;
};

}  // namespace eyrie
