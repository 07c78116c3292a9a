// attention/fused/lane_tile.h: how fused attention cuts a problem. A lane is one query head of one row; a tile's lanes
// are all query heads of one key-value head for a few neighbouring rows of one sequence, so they read the same keys.
// Keys are walked in tiles that count from the sequence's start: what a lane sums, and in which order, does not depend
// on the batch.
#pragma once
#include "attention/backend.h"
#include "attention/fused/tile_loops.h"

namespace eyrie::fused {

inline constexpr int64_t kTileKeys = 64;
inline constexpr int64_t kTileLanes = 64;

struct LaneTile {
  int32_t first_row, rows;
  int32_t index;  // among the tiles of its sequence
};

struct TileList {
  const LaneTile* tiles;
  int64_t count;
  int64_t most_in_sequence;
};

// The widths that every tile of one problem shares.
struct TileSizes : AttentionSizes {
  int64_t tile_rows, lanes;  // lanes: a tile's columns, a multiple of kWidth
  explicit TileSizes(const SuffixAttention& problem);
};

TileList list_tiles(Exec& exec, const SuffixAttention& problem, const TileSizes& sizes);
inline int64_t list_bytes(const TileSizes& sizes) {
  return sizes.rows * static_cast<int64_t>(sizeof(LaneTile)) + 64;  // a tile may be one row; scratch is aligned
}

int64_t forward_bytes(const TileSizes& sizes);  // of scratch
int64_t backward_bytes(const TileSizes& sizes);
void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse);
void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad);

// Hands out parts of one thread's memory.
class FloatRoom {
 public:
  explicit FloatRoom(float* memory) : next_(memory) {}
  float* take(int64_t count) {  // a multiple of kWidth
    next_ += count;
    return next_ - count;
  }
  Matrix matrix(int64_t rows, int64_t columns) { return {take(rows * columns), rows, columns, columns}; }

 private:
  float* next_;
};

// One lane tile: which rows, which heads, which keys.
struct TileView {
  const SuffixAttention& problem;
  const TileSizes& sizes;
  LaneTile tile;
  int64_t kv_head;

  int64_t lanes() const { return tile.rows * sizes.group; }  // those in use
  int64_t row_of(int64_t lane) const { return tile.first_row + lane / sizes.group; }
  int64_t head_of(int64_t lane) const { return kv_head * sizes.group + lane % sizes.group; }
  int64_t start() const { return problem.start.as<int32_t>()[tile.first_row]; }
  int64_t keys_of(int64_t row) const { return problem.token.as<int32_t>()[row] - start() + 1; }
  int64_t keys() const { return keys_of(tile.first_row + tile.rows - 1); }  // the last row sees most

  // to.row(lane) = factor * from(row, head), lanes not in use 0.
  void gather(const ConstTensor& from, float factor, const Matrix& to) const;
  // [keys, width] of prefix_k, prefix_v or a gradient of theirs.
  template <typename AnyTensor>
  auto prefix(const AnyTensor& tensor, int64_t first_key, int64_t keys_in_tile) const {
    const auto all = tensor.template view<float, 3>();
    return BasicMatrix{all.row(start() + first_key, kv_head), keys_in_tile, all.dims[2], all.strides[0]};
  }
  // [depth, width]: the suffix of the row at `lane` in suffix_k, suffix_v or a gradient of theirs.
  template <typename AnyTensor>
  auto suffix(const AnyTensor& tensor, int64_t lane) const {
    const auto all = tensor.template view<float, 4>();
    const int32_t place = problem.suffix_row.as<int32_t>()[row_of(lane)];
    return BasicMatrix{all.row(0, place, kv_head), all.dims[0], all.dims[3], all.strides[0]};
  }
  // The last row of the key tile at `first_key` that each lane sees; null when all of them see all of it.
  const int32_t* last_keys(int64_t first_key, int64_t keys_in_tile, int32_t* memory) const;
};

void transpose(const ConstMatrix& from, const Matrix& to);

}  // namespace eyrie::fused
