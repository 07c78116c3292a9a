// attention/cpu/leaf-inl.h: what the softmax loops share, compiled once per instruction set by the two files that own a
// Highway loop.
#if defined(EYRIE_ATTENTION_LEAF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EYRIE_ATTENTION_LEAF_INL_H_
#undef EYRIE_ATTENTION_LEAF_INL_H_
#else
#define EYRIE_ATTENTION_LEAF_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Widths are multiples of 16 floats everywhere in this room, so that no vector has a tail.
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;

// 2^x: relative error below 1.2e-7 for -126 <= x < 128, 0 below that; NaN stays NaN.
// x = n + f with |f| <= 1/2: a polynomial in f (Chebyshev nodes, relative error 2.5e-9), then n into the exponent.
inline Vector exp2(Floats d, Vector x) {
  const hn::RebindToSigned<Floats> di;
  constexpr float kSmallest = -126;
  const auto clamped = hn::Max(hn::Set(d, kSmallest), x);  // in this order: a NaN in x comes out
  const auto n = hn::NearestInt(clamped);
  const auto f = hn::Sub(clamped, hn::ConvertTo(d, n));
  auto sum = hn::Set(d, 0.000154614447f);
  for (const float coefficient : {0.001340042818f, 0.009618056679f, 0.05550327227f, 0.2402265092f, 0.6931472067f, 1.0f})
    sum = hn::MulAdd(sum, f, hn::Set(d, coefficient));
  const auto power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, kSmallest)), hn::Mul(sum, power));
}

#if HWY_TARGET == HWY_SCALAR
inline void store_sums(Floats d, Vector a, Vector b, Vector c, Vector e, float* to) {
  hn::StoreU(a, d, to), hn::StoreU(b, d, to + 1), hn::StoreU(c, d, to + 2), hn::StoreU(e, d, to + 3);
}
#else
// Four pairs of halves at a time until one 128-bit vector is left.
template <class D>
hn::Vec<hn::Full128<float> > fold(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// to[0..3] = the sums of the lanes of a, b, c, e: transposed within each 128 bits, so four sums cost little more than
// one.
inline void store_sums(Floats d, Vector a, Vector b, Vector c, Vector e, float* to) {
  const hn::RepartitionToWide<Floats> pairs;
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto low = hn::InterleaveLower(pairs, hn::BitCast(pairs, ab), hn::BitCast(pairs, ce));
  const auto high = hn::InterleaveUpper(pairs, hn::BitCast(pairs, ab), hn::BitCast(pairs, ce));
  hn::StoreU(fold(d, hn::Add(hn::BitCast(d, low), hn::BitCast(d, high))), hn::Full128<float>(), to);
}
#endif

inline float largest(Floats d, Vector v) { return hn::GetLane(hn::MaxOfLanes(d, v)); }
inline float total(Floats d, Vector v) { return hn::GetLane(hn::SumOfLanes(d, v)); }

}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
