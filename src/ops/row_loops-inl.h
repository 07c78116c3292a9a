// ops/row_loops-inl.h: what the SIMD files of this room share: a loop over one row of f32 by vectors, the last of them
// partly filled. Included once per instruction set, between foreach_target.h and HWY_BEFORE_NAMESPACE.
#if defined(EYRIE_OPS_ROW_LOOPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef EYRIE_OPS_ROW_LOOPS_INL_H
#undef EYRIE_OPS_ROW_LOOPS_INL_H
#else
#define EYRIE_OPS_ROW_LOOPS_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;

// Runs body(first element, lanes) over whole vectors, then once over the rest with fewer lanes.
template <typename Body>
HWY_INLINE void for_each_vector(int64_t n, const Body& body) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(F32()));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, lanes);
  if (i < n) body(i, n - i);
}

HWY_INLINE Vector load(const float* x, int64_t count, float padding) {
  const F32 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  if (count == lanes) return hn::LoadU(d, x);
  HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)] = {};
  for (int64_t i = 0; i < lanes; ++i) rest[i] = i < count ? x[i] : padding;
  return hn::Load(d, rest);
}

HWY_INLINE void store(Vector value, float* x, int64_t count) {
  const F32 d;
  if (count == static_cast<int64_t>(hn::Lanes(d))) return hn::StoreU(value, d, x);
  HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)] = {};
  hn::Store(value, d, rest);
  for (int64_t i = 0; i < count; ++i) x[i] = rest[i];
}

HWY_INLINE float total(Vector sum) {
  const F32 d;
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

}  // namespace
}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
