// train/work.h: where the seconds and the floating-point operations of a step go, by kind of work.
#pragma once
#include <array>
#include <cstdint>

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
  void add(const WorkShares& other) {
    for (size_t i = 0; i < of.size(); ++i) of[i] += other.of[i];
  }
};

}  // namespace eyrie
