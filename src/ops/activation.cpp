#include "ops/activation.h"

#include "ops/door.h"
#include "ops/parallel.h"
#include "ops/row_kernels.h"

namespace eyrie {
namespace cpu {
namespace {

constexpr int64_t kOperations = 8;  // of one element: most of them exp

void silu_multiply(Exec& exec, const SiluMultiply& op) {
  const auto gate = op.gate.view<float, 2>(), up = op.up.view<float, 2>();
  const auto product = op.product.view<float, 2>();
  for_each_range(exec, gate.dims[0], 1, kOperations * op.gate.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) silu_row(gate.row(r), up.row(r), gate.dims[1], product.row(r));
  });
}

void silu_multiply_backward(Exec& exec, const SiluMultiplyBackward& op) {
  const auto gate = op.gate.view<float, 2>(), up = op.up.view<float, 2>(), d_product = op.d_product.view<float, 2>();
  const auto d_gate = op.d_gate.view<float, 2>(), d_up = op.d_up.view<float, 2>();
  for_each_range(exec, gate.dims[0], 1, kOperations * op.gate.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      silu_gradient_row({.gate = gate.row(r),
                         .up = up.row(r),
                         .d_product = d_product.row(r),
                         .width = gate.dims[1],
                         .d_gate = d_gate.row(r),
                         .d_up = d_up.row(r)});
  });
}

}  // namespace
}  // namespace cpu

void silu_multiply(Exec& exec, const SiluMultiply& op) {
  expect_floats(exec, "gate", op.gate, {-1, -1});
  expect_like(exec, "up", op.up, op.gate, op.gate.shape);
  expect_like(exec, "product", op.product, op.gate, op.gate.shape);
  run_twin<cpu::silu_multiply, cuda::silu_multiply>(exec, op);
}

void silu_multiply_backward(Exec& exec, const SiluMultiplyBackward& op) {
  expect_floats(exec, "gate", op.gate, {-1, -1});
  expect_like(exec, "up", op.up, op.gate, op.gate.shape);
  expect_like(exec, "d_product", op.d_product, op.gate, op.gate.shape);
  expect_like(exec, "d_gate", op.d_gate, op.gate, op.gate.shape);
  expect_like(exec, "d_up", op.d_up, op.gate, op.gate.shape);
  run_twin<cpu::silu_multiply_backward, cuda::silu_multiply_backward>(exec, op);
}

}  // namespace eyrie
