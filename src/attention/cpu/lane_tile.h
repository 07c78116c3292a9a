// attention/cpu/lane_tile.h: how a problem is cut for the tile loops. A lane is one query head of one row; a tile's
// lanes are all query heads of one key-value head for a few neighbouring rows, so they read the same keys.
#pragma once
#include "attention/backend.h"
#include "attention/cpu/tile_loops.h"

namespace eyrie::tiles {

inline constexpr int64_t kTileKeys = 64;
inline constexpr int64_t kTileLanes = 64;
inline constexpr int64_t kScratchAlignment = 64;  // bytes that one more piece of scratch may cost

struct LaneTile {
  int32_t first_row, rows;
  int32_t index;  // counted from where the walk begins anew
};

struct LaneTiles {
  const LaneTile* tiles;
  int64_t count;
  int64_t largest_index;
};

// The widths that every tile of one problem shares.
struct TileSizes : AttentionSizes {
  int64_t tile_rows, lanes;  // lanes: a tile's columns, a multiple of kWidth
  explicit TileSizes(const SuffixAttention& problem, int64_t least_rows = 1);
};

// Multiply-adds of one product of the whole list, were each tile to meet one tile of keys.
inline int64_t least_operations(const TileSizes& sizes, const LaneTiles& list) {
  return list.count * sizes.kv_heads * sizes.lanes * kTileKeys * sizes.dim;
}

// Hands out parts of one thread's memory.
class FloatRoom {
 public:
  explicit FloatRoom(float* memory) : next_(memory) {}
  float* take(int64_t count) {  // a multiple of kWidth
    next_ += count;
    return next_ - count;
  }
  int32_t* take_integers(int64_t count) { return reinterpret_cast<int32_t*>(take(count)); }
  Matrix matrix(int64_t rows, int64_t columns) { return {take(rows * columns), rows, columns, columns}; }

 private:
  float* next_;
};

// [tokens, width] of one key-value head of prefix_k, prefix_v or a gradient of theirs.
template <typename AnyTensor>
auto prefix_of(const AnyTensor& tensor, int64_t kv_head) {
  const auto all = tensor.template view<float, 3>();
  return BasicMatrix{all.row(0, kv_head), all.dims[0], all.dims[2], all.strides[0]};
}

// One lane tile: which rows, which heads.
struct TileView {
  const SuffixAttention& problem;
  const TileSizes& sizes;
  LaneTile tile;
  int64_t kv_head;

  int64_t lanes() const { return tile.rows * sizes.group; }  // those in use
  int64_t row_of(int64_t lane) const { return tile.first_row + lane / sizes.group; }
  int64_t head_of(int64_t lane) const { return kv_head * sizes.group + lane % sizes.group; }

  // to.row(lane) = factor * from(row, head), lanes not in use 0.
  void gather(const ConstTensor& from, float factor, const Matrix& to) const;
  // [depth, width]: the suffix of the row at `lane` in suffix_k, suffix_v or a gradient of theirs.
  template <typename AnyTensor>
  auto suffix(const AnyTensor& tensor, int64_t lane) const {
    const auto all = tensor.template view<float, 4>();
    const int32_t place = problem.suffix_row.as<int32_t>()[row_of(lane)];
    return BasicMatrix{all.row(0, place, kv_head), all.dims[0], all.dims[3], all.strides[0]};
  }
};

void transpose(const ConstMatrix& from, const Matrix& to);
void fill_zero(const Matrix& matrix);  // whose rows lie end to end

}  // namespace eyrie::tiles
