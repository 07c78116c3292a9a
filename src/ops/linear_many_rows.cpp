#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear_many_rows.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before highway.h
#include <cstring>

#include "ops/linear_many_rows.h"
#include "ops/linear_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

constexpr int kTileRows = kLanes == 16 ? 6 : 3;  // with kTileOutputs sums each: what the registers hold
constexpr int64_t kBlock = 1024 / kLanes;  // vectors of depth computed at once: a row tile stays in the first cache
static_assert(kTileOutputs == kOutputs);

// Tiles lie block of depth by block of depth, those of one block side by side: apart by a power of two they would meet
// in the same sets of the caches. Where the block that begins at vector v of the tile that begins at `row` of `rows`
// lies:
HWY_INLINE int64_t block_at(int64_t depth, int64_t rows, int64_t row, int64_t v) {
  return (v * rows + std::min(kBlock, packed_width(depth) / kLanes - v) * row) * kLanes;
}

// Rows of an operand from `first` on as one tile: in a block its row r has vector v at (v * width + r) * kLanes.
struct Tile {
  const ProductOperand& from;
  int64_t first;
  int count, width;  // rows that there are, rows of the tile
  float* packed;
  int64_t packed_rows, packed_row;  // of all tiles; where this one begins

  HWY_INLINE float* vector(int64_t v, int r) const {
    const int64_t block = v / kBlock * kBlock;
    return packed + block_at(from.depth, packed_rows, packed_row, block) + ((v - block) * width + r) * kLanes;
  }
};

HWY_INLINE Pair load_pairs(const float* x) {  // x for elements of W that come as even and odd ones
  Pair pair;
  hn::LoadInterleaved2(Floats(), x, pair.first, pair.second);
  return pair;
}

template <typename W, typename Load>
HWY_INLINE void pack_rows(const Tile& tile, const Load& load) {
  const int64_t depth = tile.from.depth, whole = depth / kStep;
  for (int r = 0; r < tile.count; ++r) {
    const W* row = static_cast<const W*>(tile.from.data) + (tile.first + r) * tile.from.stride;
    const auto store = [&](int64_t step, const Pair& pair) {
      hn::Store(pair.first, Floats(), tile.vector(2 * step, r));
      hn::Store(pair.second, Floats(), tile.vector(2 * step + 1, r));
    };
    for (int64_t step = 0; step < whole; ++step) store(step, load(row + step * kStep));
    if (whole * kStep == depth) continue;
    W rest[kStep] = {};
    std::memcpy(rest, row + whole * kStep, static_cast<size_t>(depth - whole * kStep) * sizeof(W));
    store(whole, load(rest));
  }
}

void pack_tile(const Tile& tile, bool pairs) {
  if (tile.from.dtype == DType::bf16) return pack_rows<bf16>(tile, [](const bf16* w) { return load_step(w); });
  if (tile.from.dtype == DType::f16) return pack_rows<f16>(tile, [](const f16* w) { return load_step(w); });
  if (pairs) return pack_rows<float>(tile, [](const float* w) { return load_pairs(w); });
  pack_rows<float>(tile, [](const float* w) { return load_step(w); });
}

// kRows rows times kOutputs outputs, `vectors` of depth, added to the sums.
template <int kRows>
HWY_INLINE void add_vectors(const float* a, const float* b, int64_t vectors, Vector (&sums)[kRows][kOutputs]) {
  const Floats d;
  for (int64_t v = 0; v < vectors; ++v, a += kRows * kLanes, b += kOutputs * kLanes) {
    Vector x[kRows];
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) x[r] = hn::Load(d, a + r * kLanes);
    HWY_UNROLL(8)
    for (int o = 0; o < kOutputs; ++o) {
      const Vector w = hn::Load(d, b + o * kLanes);
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) sums[r][o] = hn::MulAdd(w, x[r], sums[r][o]);
    }
  }
}

// Sums that wait in memory from one block of depth to the next.
template <int kRows>
HWY_INLINE void load_kept(const float* kept, Vector (&sums)[kRows][kOutputs]) {
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int o = 0; o < kOutputs; ++o)
      sums[r][o] = kept ? hn::Load(Floats(), kept + (r * kOutputs + o) * kLanes) : hn::Zero(Floats());
  }
}
template <int kRows>
HWY_INLINE void keep(const Vector (&sums)[kRows][kOutputs], float* kept) {
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int o = 0; o < kOutputs; ++o) hn::Store(sums[r][o], Floats(), kept + (r * kOutputs + o) * kLanes);
  }
}

// A row tile times all outputs: the block of depth that begins at vector v.
template <int kRows>
void multiply_block(const PackedProduct& p, int64_t row, int64_t v, float* kept) {
  const int64_t vectors = (p.depth + kStep - 1) / kStep * 2, count = std::min(kBlock, vectors - v);
  const int64_t outputs = whole_tiles(p.end_output - p.first_output);
  const float* a = p.x + block_at(p.depth, p.rows, row, v);
  for (int64_t output = p.first_output; output < p.end_output; output += kOutputs) {
    Vector sums[kRows][kOutputs];
    load_kept(v == 0 ? nullptr : kept, sums);
    add_vectors<kRows>(a, p.weight + block_at(p.depth, outputs, output - p.first_output, v), count, sums);
    if (v + count == vectors)
      store_block(p.to, static_cast<int>(row), output, p.end_output, sums);
    else
      keep(sums, kept);
    kept += kRows * kOutputs * kLanes;
  }
}
template <int kRows>
void multiply_block_of(int64_t rows, const PackedProduct& p, int64_t row, int64_t v, float* kept) {
  if (rows == kRows) return multiply_block<kRows>(p, row, v, kept);
  if constexpr (kRows > 1) multiply_block_of<kRows - 1>(rows, p, row, v, kept);
}

}  // namespace

int64_t row_tiles(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

void pack_row_tiles(const ProductOperand& x, bool pairs, int64_t first, int64_t end, float* packed) {
  const int64_t tiles = row_tiles(x.rows);
  for (int64_t t = first; t < end; ++t) {
    const int64_t row = x.rows * t / tiles;
    const auto count = static_cast<int>(x.rows * (t + 1) / tiles - row);
    pack_tile({x, row, count, count, packed, x.rows, row}, pairs);
  }
}

void pack_output_tiles(const ProductOperand& weight, bool pairs, int64_t first, int64_t end, float* packed) {
  const int64_t outputs = whole_tiles(end - first);
  if (outputs > end - first) std::fill_n(packed, outputs * packed_width(weight.depth), 0.0f);
  for (int64_t o = first; o < end; o += kOutputs) {
    const auto count = static_cast<int>(std::min<int64_t>(end - o, kOutputs));
    pack_tile({weight, o, count, kOutputs, packed, outputs, o - first}, pairs);
  }
}

void multiply_tiles(const PackedProduct& p, int64_t first_tile, int64_t end_tile) {
  const int64_t tiles = row_tiles(p.rows);
  const int64_t kept_of_tile = whole_tiles(p.end_output - p.first_output) * kTileRows * kLanes;
  for (int64_t group = first_tile; group < end_tile; group += kKeptTiles)
    for (int64_t v = 0; v == 0 || v * kLanes < p.depth; v += kBlock)
      for (int64_t t = group; t < std::min(group + kKeptTiles, end_tile); ++t) {
        const int64_t row = p.rows * t / tiles;
        multiply_block_of<kTileRows>(p.rows * (t + 1) / tiles - row, p, row, v, p.kept + (t - group) * kept_of_tile);
      }
}

}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie {
HWY_EXPORT(row_tiles);
HWY_EXPORT(pack_row_tiles);
HWY_EXPORT(pack_output_tiles);
HWY_EXPORT(multiply_tiles);

int64_t row_tiles(int64_t rows) { return HWY_DYNAMIC_DISPATCH(row_tiles)(rows); }
void pack_row_tiles(const ProductOperand& x, bool pairs, int64_t first, int64_t end, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_row_tiles)(x, pairs, first, end, packed);
}
void pack_output_tiles(const ProductOperand& weight, bool pairs, int64_t first, int64_t end, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_output_tiles)(weight, pairs, first, end, packed);
}
void multiply_tiles(const PackedProduct& product, int64_t first_tile, int64_t end_tile) {
  HWY_DYNAMIC_DISPATCH(multiply_tiles)(product, first_tile, end_tile);
}

}  // namespace eyrie
#endif
