// attention/gpu/mask_tiles.cuh: the tiles of a BlockMask (attention/block_mask.h:mask_rows): the prefix, then each
// suffix.
#pragma once
#include "attention/block_mask.h"
#include "attention/gpu/causal_tiles.cuh"
#include "cuda/ptx/memory.cuh"

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

// What is left of one line of a list.
struct Line {
  const int32_t* indices;
  int at, end;
  __device__ __forceinline__ Line(const TileList& list, int line)
      : indices(list.indices), at(list.offsets[line]), end(list.offsets[line + 1]) {}
  __device__ __forceinline__ bool left() const { return at < end; }
  __device__ __forceinline__ const int* entry() const { return indices + at; }
};

// Whether one of `count` rows sees the key; a key that none sees may hold anything, so it is not loaded.
__device__ __forceinline__ bool any_row_sees(int round, int key, const int* token, const int* start,
                                             const int* suffix_row, int count) {
  const int* const places = round == 0 ? token : suffix_row;
  const int guess = key - places[0];  // right when no row was left out before it
  if (guess >= 0 && guess < count && places[guess] == key) return true;
  const int row = bisect(places, 0, count, key);
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
        full_(lists.mask.full_keys, row_tile),
        partial_(lists.mask.partial_keys, row_tile) {
    if (const int* entry = next_entry()) ahead_ = *entry;
  }

  // The index of the tile after this one is on its way, by a copy that is done when next() is called again.
  __device__ __forceinline__ bool next(KeyTile& tile) {
    if (!next_entry()) return false;
    const bool full = full_.left();
    tile = lists_.key_tile<kKeys>(ahead_, tokens_, suffix_rows_);
    tile.full = full;
    (full ? full_ : partial_).at++;
    if (const int* entry = next_entry()) cuda::copy_4_async(cuda::shared_address(&ahead_), entry);
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
  __device__ __forceinline__ const int* next_entry() const {
    return full_.left() ? full_.entry() : partial_.left() ? partial_.entry() : nullptr;
  }

  const Lists lists_;
  const int *token_, *start_, *suffix_row_;
  int rows_, tokens_, suffix_rows_, ahead_ = 0;
  Line full_, partial_;
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
        tile_(tile),
        full_(lists.mask.full_rows, tile),
        partial_(lists.mask.partial_rows, tile) {}

  template <typename T>
  static int key_tiles(const Problem<T>&, const Lists& lists) {
    return lists.mask.key_tiles;
  }
  __device__ __forceinline__ bool present(const KeyTile& tile, int key) const {
    return key <= tile.last && any_row_sees(tile.round, key, token_, start_, suffix_row_, rows_);
  }

  __device__ __forceinline__ bool next_keys(KeyTile& keys) {
    if (taken_ || !(full_.left() || partial_.left())) return false;
    taken_ = true;
    keys = lists_.key_tile<kKeys>(tile_, tokens_, suffix_rows_);
    return true;
  }

  __device__ __forceinline__ void restart() {
    full_ = Line(lists_.mask.full_rows, tile_), partial_ = Line(lists_.mask.partial_rows, tile_);
    look_ahead();
  }

  // Rows that see all of the keys last: those on the diagonal come before them, and the suffix has no others.
  __device__ __forceinline__ bool next_rows(RowTile& tile) {
    if (!(full_.left() || partial_.left())) return false;
    tile.full = !partial_.left();
    tile.first = ahead_ * kRows, tile.end = min(tile.first + kRows, rows_);
    (tile.full ? full_ : partial_).at++;
    look_ahead();
    return true;
  }

  // How many key tiles come before this one in the order of the row tile.
  __device__ __forceinline__ int rank(const RowTile& tile) const {
    return before(lists_.mask.full_keys, tile.first / kRows) + before(lists_.mask.partial_keys, tile.first / kRows);
  }

 private:
  __device__ __forceinline__ void look_ahead() {
    if (partial_.left())
      ahead_ = *partial_.entry();
    else if (full_.left())
      ahead_ = *full_.entry();
  }
  // How many key tiles before this one the row tile lists.
  __device__ __forceinline__ int before(const TileList& list, int row_tile) const {
    const int first = list.offsets[row_tile];
    return bisect(list.indices, first, list.offsets[row_tile + 1], tile_) - first;
  }

  const Lists& lists_;
  const int32_t *token_, *start_, *suffix_row_;
  int rows_, tokens_, suffix_rows_, tile_, ahead_ = 0;
  Line full_, partial_;
  bool taken_ = false;
};

}  // namespace eyrie::gpu
