// attention/masked/mask_tiles.cuh: the tiles of a BlockMask (attention/block_mask.h). Its flat keys are the prefix,
// then each suffix, every part rounded up to a whole number of tiles.
#pragma once
#include "attention/block_mask.h"
#include "attention/gpu/causal_tiles.cuh"

namespace eyrie::gpu {

struct MaskLists {
  BlockMask mask;
  int prefix_tiles, suffix_tiles;  // of keys; of one suffix

  template <int kKeys>
  __device__ __forceinline__ KeyTile key_tile(int flat, int tokens, int suffix_rows) const {
    KeyTile tile;
    const bool prefix = flat < prefix_tiles;
    tile.round = prefix ? 0 : (flat - prefix_tiles) / suffix_tiles + 1;
    tile.first = (prefix ? flat : (flat - prefix_tiles) % suffix_tiles) * kKeys;
    tile.last = min(tile.first + kKeys, prefix ? tokens : suffix_rows) - 1;
    return tile;
  }
};

// First index in [0, count) whose value is at least `wanted`, else count.
__device__ __forceinline__ int lower_bound_alone(const int32_t* values, int count, int wanted) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (values[middle] < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Whether one of `count` rows sees the key; a key that none sees may hold anything, so it is not loaded.
__device__ __forceinline__ bool any_row_sees(int round, int key, const int* token, const int* start,
                                             const int* suffix_row, int count) {
  const int* const places = round == 0 ? token : suffix_row;
  const int row = lower_bound_alone(places, count, key);
  return row < count && (round == 0 ? start[row] <= key : suffix_row[row] == key);
}

template <int kKeys>
class MaskKeyTiles {
 public:
  static constexpr bool kStartFromSuffix = false;
  using Lists = MaskLists;

  template <typename T>
  __device__ __forceinline__ MaskKeyTiles(const Problem<T>& problem, const Lists& lists, int row_tile, const int* token,
                                          const int* start, const int* suffix_row, int rows)
      : lists_(lists),
        token_(token),
        start_(start),
        suffix_row_(suffix_row),
        rows_(rows),
        tokens_(problem.tokens),
        suffix_rows_(problem.suffix_rows),
        full_(lists.mask.full_keys.offsets[row_tile]),
        full_end_(lists.mask.full_keys.offsets[row_tile + 1]),
        partial_(lists.mask.partial_keys.offsets[row_tile]),
        partial_end_(lists.mask.partial_keys.offsets[row_tile + 1]) {}

  __device__ __forceinline__ bool next(KeyTile& tile) {
    if (full_ == full_end_ && partial_ == partial_end_) return false;
    const bool full = full_ < full_end_;
    const int flat = full ? lists_.mask.full_keys.indices[full_++] : lists_.mask.partial_keys.indices[partial_++];
    tile = lists_.key_tile<kKeys>(flat, tokens_, suffix_rows_);
    tile.full = full;
    return true;
  }
  __device__ __forceinline__ bool present(const KeyTile& tile, int key) const {
    return key <= tile.last && any_row_sees(tile.round, key, token_, start_, suffix_row_, rows_);
  }
  __device__ __forceinline__ bool warp_sees(const KeyTile& tile, int row, int count) const {
    if (row >= rows_) return false;
    const int last = min(row + count, rows_) - 1;
    if (tile.round == 0) return tile.first <= token_[last] && tile.last >= start_[row];
    return tile.first <= suffix_row_[last] && tile.last >= suffix_row_[row];
  }

 private:
  const Lists lists_;
  const int *token_, *start_, *suffix_row_;
  int rows_, tokens_, suffix_rows_, full_, full_end_, partial_, partial_end_;
};

template <int kRows, int kKeys>
class MaskRowTiles {
 public:
  using Lists = MaskLists;

  template <typename T>
  __device__ __forceinline__ MaskRowTiles(const Problem<T>& problem, const Lists& lists, int tile)
      : lists_(lists),
        token_(problem.token),
        start_(problem.start),
        suffix_row_(problem.suffix_row),
        rows_(problem.rows),
        tokens_(problem.tokens),
        suffix_rows_(problem.suffix_rows),
        tile_(tile) {
    restart();
  }

  template <typename T>
  static int key_tiles(const Problem<T>&, const Lists& lists) {
    return lists.mask.key_tiles;
  }
  __device__ __forceinline__ bool present(const KeyTile& tile, int key) const {
    if (key > tile.last) return false;
    const int* const places = tile.round == 0 ? token_ : suffix_row_;
    if (key < rows_ && places[key] == key) return true;  // no row was left out before it
    return any_row_sees(tile.round, key, token_, start_, suffix_row_, rows_);
  }

  __device__ __forceinline__ bool next_keys(KeyTile& keys) {
    if (taken_ || (full_ == full_end_ && partial_ == partial_end_)) return false;
    taken_ = true;
    keys = lists_.key_tile<kKeys>(tile_, tokens_, suffix_rows_);
    return true;
  }

  __device__ __forceinline__ void restart() {
    full_ = lists_.mask.full_rows.offsets[tile_], full_end_ = lists_.mask.full_rows.offsets[tile_ + 1];
    partial_ = lists_.mask.partial_rows.offsets[tile_], partial_end_ = lists_.mask.partial_rows.offsets[tile_ + 1];
  }

  __device__ __forceinline__ bool next_rows(RowTile& tile) {
    if (full_ == full_end_ && partial_ == partial_end_) return false;
    tile.full = full_ == full_end_ ? false : partial_ == partial_end_ || next_full() < next_partial();
    const int index = tile.full ? next_full() : next_partial();
    (tile.full ? full_ : partial_)++;
    tile.first = index * kRows, tile.end = min(tile.first + kRows, rows_);
    tile.rank = before(lists_.mask.full_keys, index) + before(lists_.mask.partial_keys, index);
    return true;
  }

 private:
  __device__ __forceinline__ int next_full() const { return lists_.mask.full_rows.indices[full_]; }
  __device__ __forceinline__ int next_partial() const { return lists_.mask.partial_rows.indices[partial_]; }
  // How many key tiles before this one the row tile lists.
  __device__ __forceinline__ int before(const TileList& list, int row_tile) const {
    const int first = list.offsets[row_tile], end = list.offsets[row_tile + 1];
    return lower_bound_alone(list.indices + first, end - first, tile_);
  }

  const Lists& lists_;
  const int32_t *token_, *start_, *suffix_row_;
  int rows_, tokens_, suffix_rows_, tile_, full_, full_end_, partial_, partial_end_;
  bool taken_ = false;
};

}  // namespace eyrie::gpu
