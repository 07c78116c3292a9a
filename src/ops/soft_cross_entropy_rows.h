// ops/soft_cross_entropy_rows.h: the leaf loops of the loss: one row of logits each, contiguous f32.
#pragma once
#include <cstdint>

namespace eyrie {

struct RowMax {
  float value = 0;
  int64_t index = 0;  // the lowest one
};
RowMax row_max(const float* x, int64_t n);

// sum of exp(x - shift).
float sum_exp(const float* x, int64_t n, float shift);
// x = exp(x - shift); returns the sum.
float exp_in_place(float* x, int64_t n, float shift);
void scale_in_place(float* x, int64_t n, float factor);

struct CrossEntropySums {
  float exp_sum = 0;   // sum of exp(z - shift)
  float expected = 0;  // sum of p (z - shift)
};
// z = exp(z - shift) in place.
CrossEntropySums cross_entropy_sums(float* z, const float* p, int64_t n, float shift);
// z = factor * z - scale * p: with factor = scale / exp_sum the gradient scale (softmax - p).
void cross_entropy_gradient(float* z, const float* p, int64_t n, float factor, float scale);

}  // namespace eyrie
