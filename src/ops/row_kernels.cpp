#include "ops/row_kernels.h"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/row_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's headers follow foreach_target.
#include <hwy/contrib/math/math-inl.h>

#include <cmath>

#include "ops/row_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

float inverse_rms(float sum_of_squares, int64_t width, float eps) {
  return 1.0f / std::sqrt(sum_of_squares / static_cast<float>(width) + eps);
}

void Norm(const float* x, const float* weight, float eps, int64_t width, float* y) {
  const F32 d;
  Vector squares = hn::Zero(d);
  for_each_vector(width, [&](int64_t i, int64_t lanes) HWY_ATTR {
    const Vector value = load(x + i, lanes, 0);
    squares = hn::MulAdd(value, value, squares);
  });
  const Vector inverse = hn::Set(d, inverse_rms(total(squares), width, eps));
  for_each_vector(width, [&](int64_t i, int64_t lanes) HWY_ATTR {
    store(hn::Mul(hn::Mul(load(x + i, lanes, 0), inverse), load(weight + i, lanes, 0)), y + i, lanes);
  });
}

// With n = x / rms and g = w d_y: d_x = (g - n mean(g n)) / rms, d_w = d_y n.
void NormGradient(const NormGradientRow& row) {
  const F32 d;
  Vector squares = hn::Zero(d), dot = hn::Zero(d);
  for_each_vector(row.width, [&](int64_t i, int64_t lanes) HWY_ATTR {
    const Vector x = load(row.x + i, lanes, 0);
    squares = hn::MulAdd(x, x, squares);
    dot = hn::MulAdd(hn::Mul(load(row.d_y + i, lanes, 0), load(row.weight + i, lanes, 0)), x, dot);
  });
  const float rms = inverse_rms(total(squares), row.width, row.eps);
  const Vector inverse = hn::Set(d, rms), mean = hn::Set(d, total(dot) * rms * rms / static_cast<float>(row.width));
  for_each_vector(row.width, [&](int64_t i, int64_t lanes) HWY_ATTR {
    const Vector x = load(row.x + i, lanes, 0), d_y = load(row.d_y + i, lanes, 0);
    const Vector g = hn::Mul(d_y, load(row.weight + i, lanes, 0));
    if (row.d_weight) {
      const Vector sum = hn::MulAdd(hn::Mul(d_y, x), inverse, load(row.d_weight + i, lanes, 0));
      store(sum, row.d_weight + i, lanes);
    }
    const Vector before = row.added ? load(row.added + i, lanes, 0) : hn::Zero(d);
    store(hn::MulAdd(hn::NegMulAdd(x, mean, g), inverse, before), row.d_x + i, lanes);
  });
}

// 1 / (1 + exp(-x)); beyond +-87 exp(-x) would leave the range of f32.
HWY_INLINE Vector sigmoid(Vector x) {
  const F32 d;
  const Vector one = hn::Set(d, 1.0f), bound = hn::Set(d, 87.0f);
  const Vector inside = hn::Max(hn::Min(hn::Neg(x), bound), hn::Neg(bound));
  return hn::Div(one, hn::Add(one, hn::Exp(d, inside)));
}

void Silu(const float* gate, const float* up, int64_t width, float* product) {
  for_each_vector(width, [&](int64_t i, int64_t lanes) HWY_ATTR {
    const Vector g = load(gate + i, lanes, 0);
    store(hn::Mul(hn::Mul(g, sigmoid(g)), load(up + i, lanes, 0)), product + i, lanes);
  });
}

// silu'(g) = s (1 + g (1 - s)), s = sigmoid(g).
void SiluGradient(const SiluGradientRow& row) {
  const F32 d;
  const Vector one = hn::Set(d, 1.0f);
  for_each_vector(row.width, [&](int64_t i, int64_t lanes) HWY_ATTR {
    const Vector g = load(row.gate + i, lanes, 0), s = sigmoid(g), d_y = load(row.d_product + i, lanes, 0);
    const Vector slope = hn::Mul(s, hn::MulAdd(g, hn::Sub(one, s), one));
    const Vector d_gate = hn::Mul(hn::Mul(d_y, load(row.up + i, lanes, 0)), slope);
    store(hn::Mul(d_y, hn::Mul(g, s)), row.d_up + i, lanes);
    store(d_gate, row.d_gate + i, lanes);
  });
}

}  // namespace
}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie {

HWY_EXPORT(Norm);
HWY_EXPORT(NormGradient);
HWY_EXPORT(Silu);
HWY_EXPORT(SiluGradient);

void norm_row(const float* x, const float* weight, float eps, int64_t width, float* y) {
  HWY_DYNAMIC_DISPATCH(Norm)(x, weight, eps, width, y);
}

void norm_gradient_row(const NormGradientRow& row) { HWY_DYNAMIC_DISPATCH(NormGradient)(row); }

void silu_row(const float* gate, const float* up, int64_t width, float* product) {
  HWY_DYNAMIC_DISPATCH(Silu)(gate, up, width, product);
}

void silu_gradient_row(const SiluGradientRow& row) { HWY_DYNAMIC_DISPATCH(SiluGradient)(row); }

}  // namespace eyrie
#endif
