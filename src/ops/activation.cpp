#include "ops/activation.h"

#include "ops/parallel.h"
#include "ops/row_kernels.h"

namespace eyrie {
namespace {

constexpr int64_t kOperations = 8;  // of one element: most of them exp

void expect_like(const char* argument, const ConstTensor& found, const ConstTensor& gate) {
  expect_dtype(argument, found, {DType::f32});
  expect_shape(argument, found, {gate.dim(0), gate.dim(1)});
}

}  // namespace

void silu_multiply(Exec& exec, ConstTensor gate, ConstTensor up, Tensor product) {
  expect_shape("gate", gate, {-1, -1});
  expect_like("gate", gate, gate);
  expect_like("up", up, gate);
  expect_like("product", product, gate);
  const auto g = gate.view<const float, 2>(), u = up.view<const float, 2>();
  const auto y = product.view<float, 2>();
  for_each_range(exec, g.dims[0], 1, kOperations * gate.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) silu_row(g.row(r), u.row(r), g.dims[1], y.row(r));
  });
}

void silu_multiply_backward(Exec& exec, ConstTensor gate, ConstTensor up, ConstTensor d_product, Tensor d_gate,
                            Tensor d_up) {
  expect_shape("gate", gate, {-1, -1});
  expect_like("gate", gate, gate);
  expect_like("up", up, gate);
  expect_like("d_product", d_product, gate);
  expect_like("d_gate", d_gate, gate);
  expect_like("d_up", d_up, gate);
  const auto g = gate.view<const float, 2>(), u = up.view<const float, 2>(), d = d_product.view<const float, 2>();
  const auto d_g = d_gate.view<float, 2>(), d_u = d_up.view<float, 2>();
  for_each_range(exec, g.dims[0], 1, kOperations * gate.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      silu_gradient_row({.gate = g.row(r),
                         .up = u.row(r),
                         .d_product = d.row(r),
                         .width = g.dims[1],
                         .d_gate = d_g.row(r),
                         .d_up = d_u.row(r)});
  });
}

}  // namespace eyrie
