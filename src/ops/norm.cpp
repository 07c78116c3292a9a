#include "ops/norm.h"

#include <algorithm>
#include <cmath>

namespace eyrie {
namespace {

constexpr int64_t kBlockRows = 64;  // d_weight is summed by blocks of rows, so it does not depend on the threads

float inverse_rms(const float* x, int64_t width, float eps) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < width; ++i) sum += x[i] * x[i];
  return 1.0f / std::sqrt(sum / static_cast<float>(width) + eps);
}

void expect_rows(const char* argument, const ConstTensor& found, const ConstTensor& like) {
  expect_dtype(argument, found, {DType::f32});
  expect_shape(argument, found, like.shape);
}

void expect_arguments(const ConstTensor& x, const ConstTensor& weight) {
  expect_dtype("x", x, {DType::f32});
  expect_shape("x", x, {-1, -1});
  expect_dtype("weight", weight, {DType::f32});
  expect_shape("weight", weight, {x.dim(1)});
}

// With n = x / rms and g = d_y w: d_x = (g - n mean(g n)) / rms, d_w += d_y n.
void backward_row(const float* x, const float* w, const float* d_y, float inverse, int64_t width, bool accumulate,
                  float* d_x, float* d_w) {
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t i = 0; i < width; ++i) dot += d_y[i] * w[i] * x[i];
  const float factor = dot * inverse * inverse / static_cast<float>(width);
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    if (d_w) d_w[i] += d_y[i] * x[i] * inverse;
    const float gradient = (d_y[i] * w[i] - x[i] * factor) * inverse;
    d_x[i] = accumulate ? d_x[i] + gradient : gradient;
  }
}

void add_blocks(const Tensor& partial, const Tensor& d_weight) {
  const auto sums = partial.view<float, 2>();
  float* total = d_weight.as<float>();
  for (int64_t b = 0; b < sums.dims[0]; ++b)
    for (int64_t i = 0; i < sums.dims[1]; ++i) total[i] += sums(b, i);
}

}  // namespace

void rms_norm(Exec&, ConstTensor x, ConstTensor weight, float eps, Tensor y) {
  expect_arguments(x, weight);
  expect_rows("y", y, x);
  const auto from = x.view<const float, 2>();
  const auto to = y.view<float, 2>();
  const float* w = weight.as<float>();
#pragma omp parallel for
  for (int64_t r = 0; r < from.dims[0]; ++r) {
    const float* in = from.row(r);
    float* out = to.row(r);
    const float inverse = inverse_rms(in, from.dims[1], eps);
#pragma omp simd
    for (int64_t i = 0; i < from.dims[1]; ++i) out[i] = in[i] * inverse * w[i];
  }
}

void rms_norm_backward(Exec& exec, ConstTensor x, ConstTensor weight, float eps, ConstTensor d_y, Tensor d_x, Into into,
                       Tensor d_weight) {
  expect_arguments(x, weight);
  expect_rows("d_y", d_y, x);
  expect_rows("d_x", d_x, x);
  if (d_weight.defined()) expect_rows("d_weight", d_weight, weight);
  const auto in = x.view<const float, 2>(), from = d_y.view<const float, 2>();
  const auto to = d_x.view<float, 2>();
  const float* w = weight.as<float>();
  const int64_t rows = in.dims[0], width = in.dims[1], blocks = (rows + kBlockRows - 1) / kBlockRows;
  ScratchScope scope(exec.scratch);
  Tensor partial;
  if (d_weight.defined()) fill_zero(partial = exec.scratch.take(DType::f32, {blocks, width}));
#pragma omp parallel for
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t r = block * kBlockRows; r < std::min(rows, (block + 1) * kBlockRows); ++r) {
      float* d_w = partial.defined() ? static_cast<float*>(partial.data) + block * width : nullptr;
      const float inverse = inverse_rms(in.row(r), width, eps);
      backward_row(in.row(r), w, from.row(r), inverse, width, into == Into::accumulate, to.row(r), d_w);
    }
  if (partial.defined()) add_blocks(partial, d_weight);
}

}  // namespace eyrie
