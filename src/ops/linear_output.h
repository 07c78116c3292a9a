// ops/linear_output.h: where the kernels of ops/linear put their sums: y[r, o] = (added +) sum (+ bias). Private to the
// room.
#pragma once
#include <cstdint>

namespace eyrie {

struct LinearOutput {
  const float *bias, *added;  // null: none
  float* y;
  int64_t added_stride, y_stride;
};
constexpr int64_t packed_width(int64_t in) { return (in + 31) / 32 * 32; }  // of one row, a multiple of any step

}  // namespace eyrie
