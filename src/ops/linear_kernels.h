// ops/linear_kernels.h: the leaf loops of ops/linear, compiled once per instruction set. Private to the room: linear
// checks, these trust. Each call is one thread's share.
#pragma once
#include "tensor/dtype.h"

namespace eyrie {

// y = x Wᵀ (+ bias) (+ y) for a few rows. Each y(r, o) is one chain of multiply-adds over `in`, cut into the same lanes
// and summed by the same tree whatever the rows and outputs computed beside it: a row's bits do not depend on them.
struct FewRows {
  const float* packed;  // the rows of x as pack_row left them, aligned like scratch
  const void* weight;   // [out, in]
  DType dtype;
  int64_t in, weight_stride, packed_stride;
  const float* bias;  // null: none
  float* y;
  int64_t y_stride;
  int rows;
  bool accumulate;
};
constexpr int64_t packed_width(int64_t in) { return (in + 31) / 32 * 32; }  // of one row, a multiple of any step
// Copies a row into the order in which multiply_few_rows meets the elements of W, with zeros behind its end.
void pack_row(const float* x, int64_t in, DType weight_dtype, float* packed);
void multiply_few_rows(const FewRows& problem, int64_t first_output, int64_t end_output);

void widen(const void* from, DType dtype, int64_t count, float* to);  // from bf16 or f16

}  // namespace eyrie
