#include "ops/norm.h"

#include "ops/door.h"
#include "ops/parallel.h"
#include "ops/row_kernels.h"

namespace eyrie {
namespace cpu {
namespace {

constexpr int64_t kBlockRows = 64;  // d_weight is summed by blocks of rows, so it does not depend on the threads

void add_in_order(const Tensor& rows, const Tensor& sums) {
  const auto from = rows.view<float, 2>();
  float* to = sums.as<float>();
  for (int64_t r = 0; r < from.dims[0]; ++r)
    for (int64_t i = 0; i < from.dims[1]; ++i) to[i] += from(r, i);
}

void rms_norm(Exec& exec, const RmsNorm& op) {
  const auto from = op.x.view<float, 2>();
  const auto to = op.y.view<float, 2>();
  const float* weight = op.weight.as<float>();
  for_each_range(exec, from.dims[0], 1, op.x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) norm_row(from.row(r), weight, op.eps, from.dims[1], to.row(r));
  });
}

void rms_norm_backward(Exec& exec, const RmsNormBackward& op) {
  const auto in = op.x.view<float, 2>(), from = op.d_y.view<float, 2>();
  const auto to = op.d_x.view<float, 2>();
  const auto added = op.added.defined() ? op.added.view<float, 2>() : View<const float, 2>{};
  const int64_t rows = in.dims[0], width = in.dims[1], blocks = (rows + kBlockRows - 1) / kBlockRows;
  const ScratchScope scope(exec.scratch);
  Tensor partial;
  if (op.d_weight.defined()) zero(exec, partial = exec.scratch.take(DType::f32, {blocks, width}));
  for_each_range(exec, rows, kBlockRows, 2 * op.x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      norm_gradient_row({.x = in.row(r),
                         .weight = op.weight.as<float>(),
                         .d_y = from.row(r),
                         .eps = op.eps,
                         .width = width,
                         .added = added.data ? added.row(r) : nullptr,
                         .d_x = to.row(r),
                         .d_weight = partial.defined() ? partial.as<float>() + r / kBlockRows * width : nullptr});
  });
  if (partial.defined()) add_in_order(partial, op.d_weight);
}

}  // namespace
}  // namespace cpu

void rms_norm(Exec& exec, const RmsNorm& op) {
  expect_floats(exec, "x", op.x, {-1, -1});
  expect_floats(exec, "weight", op.weight, {op.x.dim(1)});
  expect_like(exec, "y", op.y, op.x, op.x.shape);
  run_twin<cpu::rms_norm, cuda::rms_norm>(exec, op);
}

void rms_norm_backward(Exec& exec, const RmsNormBackward& op) {
  expect_floats(exec, "x", op.x, {-1, -1});
  expect_floats(exec, "weight", op.weight, {op.x.dim(1)});
  expect_like(exec, "d_y", op.d_y, op.x, op.x.shape);
  if (op.added.defined()) expect_like(exec, "added", op.added, op.x, op.x.shape);
  expect_like(exec, "d_x", op.d_x, op.x, op.x.shape);
  if (op.d_weight.defined()) expect_f32(exec, "d_weight", op.d_weight, op.weight.shape);
  run_twin<cpu::rms_norm_backward, cuda::rms_norm_backward>(exec, op);
}

}  // namespace eyrie
