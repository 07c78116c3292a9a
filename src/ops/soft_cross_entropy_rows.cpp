#include "ops/soft_cross_entropy_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/soft_cross_entropy_rows.cpp"
#include <hwy/foreach_target.h>
// Highway's headers follow foreach_target.
#include <hwy/contrib/math/math-inl.h>

#include "ops/row_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

constexpr float kNothing = -3.0e38f;  // exp(kNothing - shift) is 0

float MaxValue(const float* x, int64_t n) {
  const F32 d;
  Vector best = hn::Set(d, x[0]);
  for_each_vector(n, [&](int64_t i, int64_t lanes) { best = hn::Max(best, load(x + i, lanes, x[0])); });
  return hn::GetLane(hn::MaxOfLanes(d, best));
}

int64_t FirstEqual(const float* x, int64_t n, float value) {
  const F32 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  while (i + lanes <= n && hn::AllFalse(d, hn::Eq(hn::LoadU(d, x + i), hn::Set(d, value)))) i += lanes;
  while (i < n && x[i] != value) ++i;
  return i < n ? i : 0;  // all NaN: any index will do
}

float SumExp(const float* x, int64_t n, float shift) {
  const F32 d;
  Vector sum = hn::Zero(d);
  for_each_vector(n, [&](int64_t i, int64_t lanes) {
    sum = hn::Add(sum, hn::Exp(d, hn::Sub(load(x + i, lanes, kNothing), hn::Set(d, shift))));
  });
  return total(sum);
}

float ExpInPlace(float* x, int64_t n, float shift) {
  const F32 d;
  Vector sum = hn::Zero(d);
  for_each_vector(n, [&](int64_t i, int64_t lanes) {
    const Vector value = hn::Exp(d, hn::Sub(load(x + i, lanes, kNothing), hn::Set(d, shift)));
    sum = hn::Add(sum, value);
    store(value, x + i, lanes);
  });
  return total(sum);
}

void ScaleInPlace(float* x, int64_t n, float factor) {
  const F32 d;
  for_each_vector(
      n, [&](int64_t i, int64_t lanes) { store(hn::Mul(load(x + i, lanes, 0), hn::Set(d, factor)), x + i, lanes); });
}

CrossEntropySums Sums(float* z, const float* p, int64_t n, float shift) {
  const F32 d;
  Vector sum = hn::Zero(d), expected = hn::Zero(d);
  for_each_vector(n, [&](int64_t i, int64_t lanes) {
    const Vector below = hn::Sub(load(z + i, lanes, kNothing), hn::Set(d, shift));
    const Vector value = hn::Exp(d, below);
    sum = hn::Add(sum, value);
    expected = hn::MulAdd(load(p + i, lanes, 0), below, expected);
    store(value, z + i, lanes);
  });
  return {total(sum), total(expected)};
}

void Gradient(float* z, const float* p, int64_t n, float factor, float scale) {
  const F32 d;
  for_each_vector(n, [&](int64_t i, int64_t lanes) {
    const Vector pull = hn::Mul(load(p + i, lanes, 0), hn::Set(d, scale));
    store(hn::MulSub(load(z + i, lanes, 0), hn::Set(d, factor), pull), z + i, lanes);
  });
}

}  // namespace
}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie {

HWY_EXPORT(MaxValue);
HWY_EXPORT(FirstEqual);
HWY_EXPORT(SumExp);
HWY_EXPORT(ExpInPlace);
HWY_EXPORT(ScaleInPlace);
HWY_EXPORT(Sums);
HWY_EXPORT(Gradient);

RowMax row_max(const float* x, int64_t n) {
  const float value = HWY_DYNAMIC_DISPATCH(MaxValue)(x, n);
  return {value, HWY_DYNAMIC_DISPATCH(FirstEqual)(x, n, value)};
}

float sum_exp(const float* x, int64_t n, float shift) { return HWY_DYNAMIC_DISPATCH(SumExp)(x, n, shift); }

float exp_in_place(float* x, int64_t n, float shift) { return HWY_DYNAMIC_DISPATCH(ExpInPlace)(x, n, shift); }

void scale_in_place(float* x, int64_t n, float factor) { HWY_DYNAMIC_DISPATCH(ScaleInPlace)(x, n, factor); }

CrossEntropySums cross_entropy_sums(float* z, const float* p, int64_t n, float shift) {
  return HWY_DYNAMIC_DISPATCH(Sums)(z, p, n, shift);
}

void cross_entropy_gradient(float* z, const float* p, int64_t n, float factor, float scale) {
  HWY_DYNAMIC_DISPATCH(Gradient)(z, p, n, factor, scale);
}

}  // namespace eyrie
#endif
