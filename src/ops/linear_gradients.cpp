#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear_gradients.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before highway.h
#include "ops/linear_gradients.h"
#include "ops/linear_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

constexpr int kTileRows = 6, kVectors = kLanes == 16 ? 4 : 2;  // sums of a tile: what the registers hold
constexpr int64_t kWidth = kVectors * kLanes;                  // columns of a tile
constexpr int64_t kBlock = 256;  // depth: more, and B's columns leave the near caches; less, and C is read too often

// `count` elements as f32, zeros behind them up to kWidth.
void widen_row(const void* row, int64_t first, DType dtype, int64_t count, float* to) {
  const auto convert = [&](const auto* x) {
    for (int64_t i = 0; i < count; ++i) to[i] = to_float(x[first + i]);
  };
  if (dtype == DType::f32)
    std::copy_n(static_cast<const float*>(row) + first, count, to);
  else if (dtype == DType::bf16)
    convert(static_cast<const bf16*>(row));
  else
    convert(static_cast<const f16*>(row));
  std::fill(to + count, to + kWidth, 0.0f);
}

void pack_b(const GradientProduct& p, int64_t k, int64_t depth, int64_t column, float* to) {
  const int64_t count = std::min(kWidth, p.width - column);
  for (int64_t i = 0; i < depth; ++i, to += kWidth) {
    const char* row = static_cast<const char*>(p.b) + (k + i) * p.b_stride * size_bytes(p.b_dtype);
    widen_row(row, column, p.b_dtype, count, to);
  }
}

// A's rows [first, end) as tiles: element (r, i) of a tile at tile[i * kTileRows + r].
void pack_a(const GradientProduct& p, int64_t first, int64_t end, int64_t k, int64_t depth, float* to) {
  for (int64_t i = 0; i < depth; ++i) {
    const float* from = p.a + (k + i) * p.a_depth_stride;
    float* tile = to + i * kTileRows;
    int64_t row = first;
    for (; row + kTileRows <= end; row += kTileRows, tile += kBlock * kTileRows)
      std::copy_n(from + row, kTileRows, tile);
    std::copy(from + row, from + end, tile);
  }
}

struct Tile {
  const float* a;
  int64_t a_row_stride, a_depth_stride;
  const float* b;  // as pack_b left it
  int64_t depth;
  float* c;
  int64_t c_stride, columns;
  bool accumulate;
};

template <int kRows>
HWY_INLINE void store_tile(const Tile& t, const Vector (&sums)[kRows][kVectors]) {
  const Floats d;
  for (int r = 0; r < kRows; ++r) {
    float* c = t.c + r * t.c_stride;
    if (t.columns == kWidth) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j)
        hn::StoreU(t.accumulate ? hn::Add(hn::LoadU(d, c + j * kLanes), sums[r][j]) : sums[r][j], d, c + j * kLanes);
      continue;
    }
    HWY_ALIGN float row[kWidth];
    for (int j = 0; j < kVectors; ++j) hn::Store(sums[r][j], d, row + j * kLanes);
    for (int64_t i = 0; i < t.columns; ++i) c[i] = t.accumulate ? c[i] + row[i] : row[i];
  }
}

template <int kRows>
void multiply_tile(const Tile& t) {
  const Floats d;
  Vector sums[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) sums[r][j] = hn::Zero(d);
  }
  const float *a = t.a, *b = t.b;
  for (int64_t i = 0; i < t.depth; ++i, a += t.a_depth_stride, b += kWidth) {
    Vector y[kVectors];
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) y[j] = hn::Load(d, b + j * kLanes);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const Vector x = hn::Set(d, a[r * t.a_row_stride]);
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) sums[r][j] = hn::MulAdd(x, y[j], sums[r][j]);
    }
  }
  store_tile(t, sums);
}
template <int kRows>
void multiply_tile_of(int64_t rows, const Tile& tile) {
  if (rows >= kRows) return multiply_tile<kRows>(tile);
  if constexpr (kRows > 1) multiply_tile_of<kRows - 1>(rows, tile);
}

}  // namespace

int64_t gradient_scratch_floats(int64_t rows) { return (rows + kTileRows + kWidth) * kBlock; }

// B's columns of a block stay near while the tiles of A pass by.
void multiply_gradient(const GradientProduct& p, int64_t first_row, int64_t end_row, float* scratch) {
  float *packed_b = scratch, *packed_a = scratch + kWidth * kBlock;
  const bool packs = p.a_depth_stride != 1;
  for (int64_t k = 0; k < p.depth; k += kBlock) {
    const int64_t depth = std::min(kBlock, p.depth - k);
    if (packs) pack_a(p, first_row, end_row, k, depth, packed_a);
    for (int64_t column = 0; column < p.width; column += kWidth) {
      pack_b(p, k, depth, column, packed_b);
      for (int64_t row = first_row; row < end_row; row += kTileRows)
        multiply_tile_of<kTileRows>(
            end_row - row, {.a = packs ? packed_a + (row - first_row) * kBlock : p.a + row * p.a_row_stride + k,
                            .a_row_stride = packs ? 1 : p.a_row_stride,
                            .a_depth_stride = packs ? kTileRows : 1,
                            .b = packed_b,
                            .depth = depth,
                            .c = p.c + row * p.c_stride + column,
                            .c_stride = p.c_stride,
                            .columns = std::min(kWidth, p.width - column),
                            .accumulate = p.accumulate || k > 0});
    }
  }
}

}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie {
HWY_EXPORT(gradient_scratch_floats);
HWY_EXPORT(multiply_gradient);

int64_t gradient_scratch_floats(int64_t rows) { return HWY_DYNAMIC_DISPATCH(gradient_scratch_floats)(rows); }
void multiply_gradient(const GradientProduct& product, int64_t first_row, int64_t end_row, float* scratch) {
  HWY_DYNAMIC_DISPATCH(multiply_gradient)(product, first_row, end_row, scratch);
}

}  // namespace eyrie
#endif
