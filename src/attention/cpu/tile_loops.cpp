#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/cpu/tile_loops.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before the loops
#include <limits>

#include "attention/cpu/leaf-inl.h"
#include "attention/cpu/tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::tiles::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace leaf = eyrie::HWY_NAMESPACE;
using leaf::Floats;
using leaf::Vector;

inline int64_t lanes_of_vector() { return static_cast<int64_t>(hn::Lanes(Floats())); }

// The register tile: kRows x kVectors sums, fed by kVectors loads and kRows broadcasts a step. 6 x 4 of 32 registers
// (512-bit vectors), 6 x 2 of 16.
constexpr int kTallest = 6;
constexpr int kWidest = hn::MaxLanes(Floats()) == 16 ? 4 : 2;

struct Product {
  Matrix c;
  ConstMatrix a, b;
  bool add;
};

template <int kRows, int kVectors>
HWY_INLINE void multiply_tile(const Product& p, int64_t row, int64_t column) {
  const Floats d;
  const int64_t width = lanes_of_vector();
  float* c = p.c.row(row) + column;
  Vector sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kVectors; ++i) sum[r][i] = p.add ? hn::LoadU(d, c + r * p.c.row_step + i * width) : hn::Zero(d);
  const float* a = p.a.row(row);
  const float* b = p.b.data + column;
  for (int64_t step = 0; step < p.a.columns; ++step, a += p.a.column_step, b += p.b.row_step) {
    Vector right[kVectors];
    for (int i = 0; i < kVectors; ++i) right[i] = hn::LoadU(d, b + i * width);
    for (int r = 0; r < kRows; ++r) {
      const Vector left = hn::Set(d, a[r * p.a.row_step]);
      for (int i = 0; i < kVectors; ++i) sum[r][i] = hn::MulAdd(left, right[i], sum[r][i]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kVectors; ++i) hn::StoreU(sum[r][i], d, c + r * p.c.row_step + i * width);
}

template <int kVectors>
void multiply_columns(const Product& p, int64_t column) {
  const int64_t rows = p.a.rows;
  int64_t row = 0;
  for (; row + kTallest <= rows; row += kTallest) multiply_tile<kTallest, kVectors>(p, row, column);
  for (; row + 4 <= rows; row += 4) multiply_tile<4, kVectors>(p, row, column);
  for (; row + 2 <= rows; row += 2) multiply_tile<2, kVectors>(p, row, column);
  for (; row < rows; ++row) multiply_tile<1, kVectors>(p, row, column);
}

void multiply(const Product& p) {
  const int64_t width = lanes_of_vector(), columns = p.b.columns;
  int64_t column = 0;
  for (; column + kWidest * width <= columns; column += kWidest * width) multiply_columns<kWidest>(p, column);
  for (; column + 2 * width <= columns; column += 2 * width) multiply_columns<2>(p, column);
  for (; column < columns; column += width) multiply_columns<1>(p, column);
}

void set_product_all(const Matrix& c, const ConstMatrix& a, const ConstMatrix& b) { multiply({c, a, b, false}); }
void add_product_all(const Matrix& c, const ConstMatrix& a, const ConstMatrix& b) { multiply({c, a, b, true}); }

// Which of the lanes from `lane` on do not see the tile's row `key`.
inline auto hidden(const SeenKeys& seen, int64_t lane, int64_t key) {
  const hn::RebindToSigned<Floats> di;
  const auto row = hn::Set(di, static_cast<int32_t>(key));
  const auto before = hn::Lt(row, hn::LoadU(di, seen.first + lane)),
             behind = hn::Lt(hn::LoadU(di, seen.last + lane), row);
  return hn::RebindMask(Floats(), hn::Or(before, behind));
}

void softmax_all(const SoftmaxTile& t) {
  const Floats d;
  for (int64_t lane = 0; lane < t.score.columns; lane += lanes_of_vector()) {
    const Vector before = hn::LoadU(d, t.highest + lane);
    Vector highest = before, sum = hn::Zero(d);
    for (int64_t key = 0; key < t.score.rows; ++key) {
      float* score = t.score.row(key) + lane;
      if (t.seen.first) {
        const Vector none = hn::Set(d, -std::numeric_limits<float>::infinity());
        hn::StoreU(hn::IfThenElse(hidden(t.seen, lane, key), none, hn::LoadU(d, score)), d, score);
      }
      highest = hn::Max(highest, hn::LoadU(d, score));
    }
    for (int64_t key = 0; key < t.score.rows; ++key) {
      float* score = t.score.row(key) + lane;
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
  const Vector factor = hn::Set(d, t.factor);
  for (int64_t lane = 0; lane < t.score.columns; lane += lanes_of_vector()) {
    const Vector lse = hn::LoadU(d, t.lse + lane), delta = hn::LoadU(d, t.delta + lane);
    for (int64_t key = 0; key < t.score.rows; ++key) {
      float *score = t.score.row(key) + lane, *d_p = t.d_p.row(key) + lane;
      Vector weight = leaf::exp2(d, hn::MulSub(factor, hn::LoadU(d, score), lse));
      if (t.seen.first) weight = hn::IfThenZeroElse(hidden(t.seen, lane, key), weight);
      hn::StoreU(weight, d, score);
      hn::StoreU(hn::Mul(weight, hn::Sub(hn::LoadU(d, d_p), delta)), d, d_p);
    }
  }
}

void set_dots_all(const Matrix& out, const ConstMatrix& a, const ConstMatrix& b) {
  const Floats d;
  for (int64_t column = 0; column < b.rows; ++column)
    for (int64_t first = 0; first < a.rows; first += 4) {
      const float* four[4];
      for (int64_t i = 0; i < 4; ++i) four[i] = a.row(HWY_MIN(first + i, a.rows - 1));
      Vector sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      for (int64_t i = 0; i < b.columns; i += lanes_of_vector()) {
        const Vector right = hn::LoadU(d, b.row(column) + i);
        for (int k = 0; k < 4; ++k) sum[k] = hn::MulAdd(hn::LoadU(d, four[k] + i), right, sum[k]);
      }
      float dots[4];
      leaf::store_sums(d, sum[0], sum[1], sum[2], sum[3], dots);
      for (int64_t i = first; i < HWY_MIN(first + 4, a.rows); ++i) out.row(i)[column] = dots[i - first];
    }
}

void scale_rows_all(const Matrix& a, const float* factor) {
  const Floats d;
  for (int64_t row = 0; row < a.rows; ++row)
    for (int64_t column = 0; column < a.columns; column += lanes_of_vector()) {
      float* at = a.row(row) + column;
      hn::StoreU(hn::Mul(hn::LoadU(d, at), hn::LoadU(d, factor + column)), d, at);
    }
}

}  // namespace eyrie::tiles::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie::tiles {
HWY_EXPORT(set_product_all);
HWY_EXPORT(add_product_all);
HWY_EXPORT(set_dots_all);
HWY_EXPORT(scale_rows_all);
HWY_EXPORT(softmax_all);
HWY_EXPORT(gradient_all);
void set_product(const Matrix& c, const ConstMatrix& a, const ConstMatrix& b) {
  HWY_DYNAMIC_DISPATCH(set_product_all)(c, a, b);
}
void add_product(const Matrix& c, const ConstMatrix& a, const ConstMatrix& b) {
  HWY_DYNAMIC_DISPATCH(add_product_all)(c, a, b);
}
void set_dots(const Matrix& out, const ConstMatrix& a, const ConstMatrix& b) {
  HWY_DYNAMIC_DISPATCH(set_dots_all)(out, a, b);
}
void scale_rows(const Matrix& a, const float* factor) { HWY_DYNAMIC_DISPATCH(scale_rows_all)(a, factor); }
void softmax(const SoftmaxTile& tile) { HWY_DYNAMIC_DISPATCH(softmax_all)(tile); }
void gradient(const GradientTile& tile) { HWY_DYNAMIC_DISPATCH(gradient_all)(tile); }
}  // namespace eyrie::tiles
#endif
