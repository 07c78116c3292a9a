#include "attention/tiles/loop.h"

#include <fmt/core.h>

#include <algorithm>

namespace eyrie::tiles {

std::string why_not(const SuffixAttention& problem, Arguments) {
  for (const int64_t width : {problem.q.dim(2), problem.prefix_v.dim(2)})
    if (width % kWidth != 0)
      return fmt::format("head dimension {} is not a multiple of the {} floats of a vector", width, kWidth);
  return "";
}

int64_t scratch_bytes(const KeyWalk& walk) { return std::max(forward_bytes(walk), backward_bytes(walk)); }

}  // namespace eyrie::tiles
