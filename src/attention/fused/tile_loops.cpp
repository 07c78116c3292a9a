#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/fused/tile_loops.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before the loops
#include <limits>

#include "attention/fused/tile_loops.h"
#include "attention/leaf-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::fused::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace leaf = eyrie::HWY_NAMESPACE;
using leaf::Floats;
using leaf::Vector;

inline int64_t lanes_of_vector() { return static_cast<int64_t>(hn::Lanes(Floats())); }

// The register tile: kRows x kVectors sums, fed by kVectors loads and kRows broadcasts a step. 6 x 4 of 32 registers
// (512-bit vectors), 6 x 2 of 16.
constexpr int kTallest = 6;
constexpr int kWidest = hn::MaxLanes(Floats()) == 16 ? 4 : 2;

template <int kRows, int kVectors>
HWY_INLINE void multiply_tile(const Product& p, int64_t row, int64_t column) {
  const Floats d;
  const int64_t width = lanes_of_vector();
  float* c = p.c + row * p.c_row + column;
  Vector sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kVectors; ++i) sum[r][i] = p.add ? hn::LoadU(d, c + r * p.c_row + i * width) : hn::Zero(d);
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + column;
  for (int64_t step = 0; step < p.steps; ++step, a += p.a_step, b += p.b_step) {
    Vector right[kVectors];
    for (int i = 0; i < kVectors; ++i) right[i] = hn::LoadU(d, b + i * width);
    for (int r = 0; r < kRows; ++r) {
      const Vector left = hn::Set(d, a[r * p.a_row]);
      for (int i = 0; i < kVectors; ++i) sum[r][i] = hn::MulAdd(left, right[i], sum[r][i]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kVectors; ++i) hn::StoreU(sum[r][i], d, c + r * p.c_row + i * width);
}

template <int kVectors>
void multiply_columns(const Product& p, int64_t column) {
  int64_t row = 0;
  for (; row + kTallest <= p.rows; row += kTallest) multiply_tile<kTallest, kVectors>(p, row, column);
  for (; row + 4 <= p.rows; row += 4) multiply_tile<4, kVectors>(p, row, column);
  for (; row + 2 <= p.rows; row += 2) multiply_tile<2, kVectors>(p, row, column);
  for (; row < p.rows; ++row) multiply_tile<1, kVectors>(p, row, column);
}

void multiply_all(const Product& p) {
  const int64_t width = lanes_of_vector();
  int64_t column = 0;
  for (; column + kWidest * width <= p.columns; column += kWidest * width) multiply_columns<kWidest>(p, column);
  for (; column + 2 * width <= p.columns; column += 2 * width) multiply_columns<2>(p, column);
  for (; column < p.columns; column += width) multiply_columns<1>(p, column);
}

// Which lanes do not see the tile's row `key`.
inline auto hidden(hn::RebindToSigned<Floats> di, const int32_t* last_key, int64_t key) {
  return hn::RebindMask(Floats(), hn::Lt(hn::LoadU(di, last_key), hn::Set(di, static_cast<int32_t>(key))));
}

void softmax_all(const SoftmaxTile& t) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  for (int64_t lane = 0; lane < t.lanes; lane += lanes_of_vector()) {
    const Vector before = hn::LoadU(d, t.highest + lane);
    Vector highest = before, sum = hn::Zero(d);
    for (int64_t key = 0; key < t.keys; ++key) {
      float* score = t.score + key * t.lanes + lane;
      if (t.last_key) {
        const Vector none = hn::Set(d, -std::numeric_limits<float>::infinity());
        hn::StoreU(hn::IfThenElse(hidden(di, t.last_key + lane, key), none, hn::LoadU(d, score)), d, score);
      }
      highest = hn::Max(highest, hn::LoadU(d, score));
    }
    for (int64_t key = 0; key < t.keys; ++key) {
      float* score = t.score + key * t.lanes + lane;
      const Vector weight = leaf::exp2(d, hn::Sub(hn::LoadU(d, score), highest));
      hn::StoreU(weight, d, score);
      sum = hn::Add(sum, weight);
    }
    const Vector older = leaf::exp2(d, hn::Sub(before, highest));
    hn::StoreU(older, d, t.older + lane);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, t.sum + lane), older, sum), d, t.sum + lane);
    hn::StoreU(highest, d, t.highest + lane);
  }
}

void gradient_all(const GradientTile& t) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const Vector factor = hn::Set(d, t.factor);
  for (int64_t lane = 0; lane < t.lanes; lane += lanes_of_vector()) {
    const Vector lse = hn::LoadU(d, t.lse + lane), delta = hn::LoadU(d, t.delta + lane);
    for (int64_t key = 0; key < t.keys; ++key) {
      float *score = t.score + key * t.lanes + lane, *d_p = t.d_p + key * t.lanes + lane;
      Vector weight = leaf::exp2(d, hn::MulSub(factor, hn::LoadU(d, score), lse));
      if (t.last_key) weight = hn::IfThenZeroElse(hidden(di, t.last_key + lane, key), weight);
      hn::StoreU(weight, d, score);
      hn::StoreU(hn::Mul(weight, hn::Sub(hn::LoadU(d, d_p), delta)), d, d_p);
    }
  }
}

void dot_all(const Dots& t) {
  const Floats d;
  for (int64_t lane = 0; lane < t.lanes; ++lane)
    for (int64_t first = 0; first < t.count; first += 4) {
      const float* b[4];
      for (int64_t i = 0; i < 4; ++i) b[i] = t.b + HWY_MIN(first + i, t.count - 1) * t.b_step;
      Vector sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      for (int64_t i = 0; i < t.width; i += lanes_of_vector()) {
        const Vector a = hn::LoadU(d, t.a + lane * t.width + i);
        for (int k = 0; k < 4; ++k) sum[k] = hn::MulAdd(a, hn::LoadU(d, b[k] + i), sum[k]);
      }
      float four[4];
      leaf::store_sums(d, sum[0], sum[1], sum[2], sum[3], four);
      for (int64_t i = first; i < HWY_MIN(first + 4, t.count); ++i) t.out[i * t.out_step + lane] = four[i - first];
    }
}

void scale_all(float* rows, int64_t count, int64_t lanes, const float* factor) {
  const Floats d;
  for (int64_t row = 0; row < count; ++row)
    for (int64_t lane = 0; lane < lanes; lane += lanes_of_vector()) {
      float* at = rows + row * lanes + lane;
      hn::StoreU(hn::Mul(hn::LoadU(d, at), hn::LoadU(d, factor + lane)), d, at);
    }
}

}  // namespace eyrie::fused::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie::fused {
HWY_EXPORT(multiply_all);
HWY_EXPORT(softmax_all);
HWY_EXPORT(gradient_all);
HWY_EXPORT(dot_all);
HWY_EXPORT(scale_all);
void multiply(const Product& product) { HWY_DYNAMIC_DISPATCH(multiply_all)(product); }
void softmax(const SoftmaxTile& tile) { HWY_DYNAMIC_DISPATCH(softmax_all)(tile); }
void gradient(const GradientTile& tile) { HWY_DYNAMIC_DISPATCH(gradient_all)(tile); }
void dot(const Dots& dots) { HWY_DYNAMIC_DISPATCH(dot_all)(dots); }
void scale_rows(float* rows, int64_t count, int64_t lanes, const float* factor) {
  HWY_DYNAMIC_DISPATCH(scale_all)(rows, count, lanes, factor);
}
}  // namespace eyrie::fused
#endif
