#include "ops/activation.h"

#include <cmath>

namespace eyrie {
namespace {

void expect_like(const char* argument, const ConstTensor& found, const ConstTensor& like) {
  expect_dtype(argument, found, {DType::f32});
  expect_shape(argument, found, like.shape);
}

}  // namespace

void silu_multiply(Exec&, ConstTensor gate, ConstTensor up, Tensor product) {
  expect_shape("gate", gate, {-1, -1});
  expect_like("gate", gate, gate);
  expect_like("up", up, gate);
  expect_like("product", product, gate);
  const auto g = gate.view<const float, 2>(), u = up.view<const float, 2>();
  const auto y = product.view<float, 2>();
#pragma omp parallel for
  for (int64_t r = 0; r < g.dims[0]; ++r)
    for (int64_t i = 0; i < g.dims[1]; ++i) y(r, i) = g(r, i) / (1.0f + std::exp(-g(r, i))) * u(r, i);
}

// silu'(g) = s (1 + g (1 - s)), s = 1 / (1 + exp(-g)).
void silu_multiply_backward(Exec&, ConstTensor gate, ConstTensor up, ConstTensor d_product, Tensor d_gate,
                            Tensor d_up) {
  expect_shape("gate", gate, {-1, -1});
  expect_like("gate", gate, gate);
  expect_like("up", up, gate);
  expect_like("d_product", d_product, gate);
  expect_like("d_gate", d_gate, gate);
  expect_like("d_up", d_up, gate);
  const auto g = gate.view<const float, 2>(), u = up.view<const float, 2>(), d = d_product.view<const float, 2>();
  const auto d_g = d_gate.view<float, 2>(), d_u = d_up.view<float, 2>();
#pragma omp parallel for
  for (int64_t r = 0; r < g.dims[0]; ++r)
    for (int64_t i = 0; i < g.dims[1]; ++i) {
      const float x = g(r, i), s = 1.0f / (1.0f + std::exp(-x)), d_y = d(r, i), other = u(r, i);
      d_u(r, i) = d_y * x * s;
      d_g(r, i) = d_y * other * s * (1.0f + x * (1.0f - s));
    }
}

}  // namespace eyrie
