// ops/linear_sums-inl.h: what the kernels of ops/linear share, so that a sum has the same bits in each: W's elements as
// vectors, sums of lanes, what is added to them. Included once per instruction set, between foreach_target.h and
// HWY_BEFORE_NAMESPACE.
#if defined(EYRIE_OPS_LINEAR_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef EYRIE_OPS_LINEAR_SUMS_INL_H
#undef EYRIE_OPS_LINEAR_SUMS_INL_H
#else
#define EYRIE_OPS_LINEAR_SUMS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "ops/linear_output.h"
#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
using Four = hn::CappedTag<float, 4>;

constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr int64_t kStep = 2 * kLanes;  // elements of W that one round takes
constexpr int kOutputs = 4;            // outputs computed together: their sums make one vector

struct Pair {
  Vector first, second;
};

// What both halves of a step come from. GCC would rather load it once for each: this kernel waits for its loads.
template <class V>
HWY_INLINE V loaded_once(V vector) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(vector.raw));
#endif
  return vector;
}

// kStep elements of W as f32. A bf16 is the upper half of an f32, so a pair of them in 32 bits needs no shuffle: the
// even elements come first, the odd ones second, and pack_row puts x into the same order.
HWY_INLINE Pair load_step(const bf16* w) {
  const hn::RebindToUnsigned<Floats> bits;
  const auto both = loaded_once(hn::LoadU(bits, reinterpret_cast<const uint32_t*>(w)));
  return {hn::BitCast(Floats(), hn::ShiftLeft<16>(both)),
          hn::BitCast(Floats(), hn::And(both, hn::Set(bits, 0xffff0000u)))};
}
HWY_INLINE Pair load_step(const f16* w) {
  const hn::Rebind<hwy::float16_t, Floats> narrow;
  const auto* from = reinterpret_cast<const hwy::float16_t*>(w);
  return {hn::PromoteTo(Floats(), hn::LoadU(narrow, from)), hn::PromoteTo(Floats(), hn::LoadU(narrow, from + kLanes))};
}
HWY_INLINE Pair load_step(const float* w) { return {hn::LoadU(Floats(), w), hn::LoadU(Floats(), w + kLanes)}; }

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void store_sums(const Vector* sums, float* to) {
  for (int o = 0; o < kOutputs; ++o) to[o] = hn::GetLane(sums[o]);
}
#else
// The vector's blocks of four lanes added up, halves first.
template <class D>
HWY_INLINE hn::Vec<Four> fold(D, hn::Vec<D> blocks) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return blocks;
  } else {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, blocks), hn::UpperHalf(half, blocks)));
  }
}

// Adds up the lanes of four vectors at once: a, b, c, d side by side in every block of four lanes, then the blocks.
HWY_INLINE void store_sums(const Vector* sums, float* to) {
  const Floats d;
  const hn::RepartitionToWide<Floats> wide;
  const auto ab = hn::Add(hn::InterleaveLower(d, sums[0], sums[1]), hn::InterleaveUpper(d, sums[0], sums[1]));
  const auto cd = hn::Add(hn::InterleaveLower(d, sums[2], sums[3]), hn::InterleaveUpper(d, sums[2], sums[3]));
  const auto low = hn::InterleaveLower(wide, hn::BitCast(wide, ab), hn::BitCast(wide, cd));
  const auto high = hn::InterleaveUpper(wide, hn::BitCast(wide, ab), hn::BitCast(wide, cd));
  hn::StoreU(fold(d, hn::Add(hn::BitCast(d, low), hn::BitCast(d, high))), Four(), to);
}
#endif

// Stores Lanes(d) totals of one row.
template <class D>
HWY_INLINE void finish_lanes(D d, const LinearOutput& to, int row, int64_t output, const float* totals) {
  auto y = hn::LoadU(d, totals);
  if (to.bias) y = hn::Add(y, hn::LoadU(d, to.bias + output));
  if (to.added) y = hn::Add(hn::LoadU(d, to.added + row * to.added_stride + output), y);
  hn::StoreU(y, d, to.y + row * to.y_stride + output);
}
HWY_INLINE void finish(const LinearOutput& to, int row, int64_t output, int count, const float* totals) {
  constexpr int kFour = hn::MaxLanes(Four());
  int o = 0;
  for (; o + kFour <= count; o += kFour) finish_lanes(Four(), to, row, output + o, totals + o);
  for (; o < count; ++o) finish_lanes(hn::CappedTag<float, 1>(), to, row, output + o, totals + o);
}

// What the sums of a block come to: stored, with what is added to them.
template <int kRows, int kCount>
HWY_INLINE void store_block(const LinearOutput& to, int row, int64_t output, int64_t end_output,
                            const Vector (&sums)[kRows][kCount]) {
  const auto count = static_cast<int>(std::min<int64_t>(end_output - output, kCount));
  const bool plain = count == kCount && !to.bias && !to.added;
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    float totals[kCount];
    float* into = plain ? to.y + (row + r) * to.y_stride + output : totals;
    HWY_UNROLL(2)
    for (int o = 0; o < kCount; o += kOutputs) store_sums(&sums[r][o], into + o);
    if (!plain) finish(to, row + r, output, count, totals);
  }
}

}  // namespace
}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
