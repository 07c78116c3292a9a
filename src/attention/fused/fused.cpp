#include <fmt/core.h>

#include <algorithm>

#include "attention/fused/lane_tile.h"

namespace eyrie::fused {
namespace {

std::string why_not(const SuffixAttention& problem) {
  for (const int64_t width : {problem.q.dim(2), problem.prefix_v.dim(2)})
    if (width % kWidth != 0)
      return fmt::format("head dimension {} is not a multiple of the {} floats of a vector", width, kWidth);
  return "";
}

int64_t scratch_bytes(const SuffixAttention& problem) {
  const TileSizes sizes(problem);
  return std::max(forward_bytes(sizes), backward_bytes(sizes));
}

}  // namespace

const DeviceFunctions kCpu = {why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::fused
