#include "ops/norm.h"

#include "ops/parallel.h"
#include "ops/row_kernels.h"

namespace eyrie {
namespace {

constexpr int64_t kBlockRows = 64;  // d_weight is summed by blocks of rows, so it does not depend on the threads

void expect_like(const char* argument, const ConstTensor& found, const ConstTensor& other) {
  expect_dtype(argument, found, {DType::f32});
  expect_shape(argument, found, other.shape);
}

void expect_arguments(const ConstTensor& x, const ConstTensor& weight) {
  expect_dtype("x", x, {DType::f32});
  expect_shape("x", x, {-1, -1});
  expect_dtype("weight", weight, {DType::f32});
  expect_shape("weight", weight, {x.dim(1)});
}

void add_rows(const Tensor& rows, const Tensor& sums) {  // in their order
  const auto from = rows.view<float, 2>();
  float* to = sums.as<float>();
  for (int64_t r = 0; r < from.dims[0]; ++r)
    for (int64_t i = 0; i < from.dims[1]; ++i) to[i] += from(r, i);
}

}  // namespace

void rms_norm(Exec& exec, ConstTensor x, ConstTensor weight, float eps, Tensor y) {
  expect_arguments(x, weight);
  expect_like("y", y, x);
  const auto from = x.view<const float, 2>();
  const auto to = y.view<float, 2>();
  const float* w = weight.as<float>();
  for_each_range(exec, from.dims[0], 1, x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) norm_row(from.row(r), w, eps, from.dims[1], to.row(r));
  });
}

void rms_norm_backward(Exec& exec, ConstTensor x, ConstTensor weight, float eps, ConstTensor d_y, Tensor d_x, Into into,
                       Tensor d_weight) {
  expect_arguments(x, weight);
  expect_like("d_y", d_y, x);
  expect_like("d_x", d_x, x);
  if (d_weight.defined()) expect_like("d_weight", d_weight, weight);
  const auto in = x.view<const float, 2>(), from = d_y.view<const float, 2>();
  const auto to = d_x.view<float, 2>();
  const int64_t rows = in.dims[0], width = in.dims[1], blocks = (rows + kBlockRows - 1) / kBlockRows;
  ScratchScope scope(exec.scratch);
  Tensor partial;
  if (d_weight.defined()) fill_zero(partial = exec.scratch.take(DType::f32, {blocks, width}));
  for_each_range(exec, rows, kBlockRows, 2 * x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      norm_gradient_row({.x = in.row(r),
                         .weight = weight.as<float>(),
                         .d_y = from.row(r),
                         .eps = eps,
                         .width = width,
                         .accumulate = into == Into::accumulate,
                         .d_x = to.row(r),
                         .d_weight = partial.defined() ? partial.as<float>() + r / kBlockRows * width : nullptr});
  });
  if (partial.defined()) add_rows(partial, d_weight);
}

}  // namespace eyrie
