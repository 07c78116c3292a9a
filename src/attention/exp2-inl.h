// attention/exp2-inl.h: 2^x for the softmax loops, compiled once per instruction set by the two files that own a
// Highway loop. Relative error below 1.2e-7 for -126 <= x < 128; below that 0; NaN stays NaN.
#if defined(EYRIE_ATTENTION_EXP2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EYRIE_ATTENTION_EXP2_INL_H_
#undef EYRIE_ATTENTION_EXP2_INL_H_
#else
#define EYRIE_ATTENTION_EXP2_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Widths are multiples of 16 floats everywhere in this room, so that no vector has a tail.
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;

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

inline float largest(Floats d, Vector v) { return hn::GetLane(hn::MaxOfLanes(d, v)); }
inline float total(Floats d, Vector v) { return hn::GetLane(hn::SumOfLanes(d, v)); }

}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
