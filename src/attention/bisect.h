// attention/bisect.h: a search that the CPU and CUDA share (where constexpr functions run too).
#pragma once
#include <cstdint>

namespace eyrie {

// First index in [low, high) whose value is at least `least`, else high; the values never fall.
constexpr int32_t bisect(const int32_t* values, int32_t low, int32_t high, int32_t least) {
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (values[middle] < least)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace eyrie
