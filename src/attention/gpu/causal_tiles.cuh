// attention/gpu/causal_tiles.cuh: the tiles of a causal prefix, packed sequences, any choice of rows. Tiles of keys are
// counted from the first token of their sequence, tiles of rows (backward) from its first row: what a row or a key
// sums, and in which order, does not depend on what else is packed beside it.
#pragma once
#include <climits>

#include "attention/bisect.h"
#include "attention/gpu/problem.cuh"

namespace eyrie::gpu {

struct NoLists {};  // token and start say it all

struct KeyTile {
  int round = 0;      // 0: prefix; i: the i-th suffix
  int first = 0;      // key
  int last = 0;       // the last key that is there
  bool full = false;  // every row sees every key
  bool there = true;  // else the tiles are at an end
};

struct RowTile {
  int first = 0, end = 0;  // rows; at most the tile's height
  bool full = false;
};

// What a row may see, beside its tile.
struct RowInfo {
  int token = -1, start = INT_MAX, suffix_row = -1;
  __device__ __forceinline__ bool sees(int round, int key) const {
    return round == 0 ? start <= key && key <= token : key == suffix_row;
  }
};

// bisect() by a whole warp together.
__device__ __forceinline__ int bisect_by_warp(const int32_t* values, int low, int high, int64_t least) {
  const int lane = threadIdx.x % 32;
  while (low < high) {
    const int step = (high - low + 31) / 32, index = low + lane * step;
    const int below = __popc(__ballot_sync(0xffffffffu, index < high && values[index] < least));
    if (below == 0) return low;
    high = min(high, low + below * step);
    low += (below - 1) * step + 1;
  }
  return low;
}

// Forward: the tiles of kKeys keys that the rows [first_row, end_row) see. token and start: theirs, in shared memory.
template <int kKeys>
class CausalKeyTiles {
 public:
  static constexpr bool kStartFromSuffix = true;
  using Lists = NoLists;

  template <typename T>
  __device__ __forceinline__ CausalKeyTiles(const Problem<T>&, const Lists&, int /*row_tile*/, const int* token,
                                            const int* start, const int* /*suffix_row*/, int rows)
      : token_(token), start_(start), rows_(rows) {}

  // Keys that no row sees are never read.
  __device__ __forceinline__ bool present(const KeyTile& tile, int key) const { return key <= tile.last; }
  // Whether any of the `count` rows from `row` may see a key of the tile.
  __device__ __forceinline__ bool warp_sees(const KeyTile& tile, int row, int count) const {
    return row < rows_ && tile.first <= token_[min(row + count, rows_) - 1] && tile.last >= start_[row];
  }

  __device__ __forceinline__ bool next(KeyTile& tile) {
    if (first_ > last_) {  // the next sequence
      if (row_ == rows_) return false;
      first_ = start_[row_];
      full_below_ = row_ == 0 ? token_[0] : -1;
      const int end = bisect(start_, row_ + 1, rows_, first_ + 1);
      last_ = token_[end - 1];
      if (end < rows_) full_below_ = -1;
      row_ = end;
    }
    tile.round = 0, tile.first = first_, tile.last = last_, tile.full = first_ + kKeys - 1 <= full_below_;
    first_ += kKeys;
    return true;
  }

 private:
  const int *token_, *start_;
  int rows_, row_ = 0, first_ = 0, last_ = -1, full_below_ = -1;
};

// Backward: the key tiles that begin in [kKeys tile, kKeys (tile + 1)), and for each the tiles of kRows rows that see
// it.
template <int kRows, int kKeys>
class CausalRowTiles {
 public:
  using Lists = NoLists;

  template <typename T>
  __device__ __forceinline__ CausalRowTiles(const Problem<T>& problem, const Lists&, int tile)
      : token_(problem.token),
        start_(problem.start),
        rows_(problem.rows),
        next_key_(tile * kKeys),
        end_(next_key_ + kKeys) {}

  template <typename T>
  static int key_tiles(const Problem<T>& problem, const Lists&) {
    return (problem.tokens + kKeys - 1) / kKeys;
  }
  __device__ __forceinline__ bool present(const KeyTile& tile, int key) const { return key <= tile.last; }

  // The next key tile; its row tiles start over.
  __device__ __forceinline__ bool next_keys(KeyTile& keys) {
    while (next_key_ < end_) {
      const int row = first_row_at(next_key_);
      if (row >= rows_) return false;
      const int sequence = start_[row];
      rows_end_ = start_[rows_ - 1] == sequence ? rows_ : bisect_by_warp(start_, row, rows_, int64_t{sequence} + 1);
      rank_ = (max(next_key_ - sequence, 0) + kKeys - 1) / kKeys;
      keys.first = sequence + rank_ * kKeys, keys.last = token_[rows_end_ - 1];
      if (keys.first > keys.last) {  // the next sequence
        next_key_ = keys.last + 1;
        continue;
      }
      if (keys.first >= end_) return false;
      next_key_ = keys.first + 1;
      const int begin = start_[0] == sequence ? 0 : bisect_by_warp(start_, 0, row + 1, sequence);
      first_tile_row_ = begin + (first_row_at(keys.first) - begin) / kRows * kRows;
      full_row_ = first_row_at(keys.first + kKeys - 1);
      return true;
    }
    return false;
  }

  __device__ __forceinline__ void restart() { row_ = first_tile_row_; }

  __device__ __forceinline__ bool next_rows(RowTile& tile) {
    if (row_ >= rows_end_) return false;
    tile.first = row_, tile.end = min(row_ + kRows, rows_end_);
    tile.full = row_ >= full_row_ && row_ + kRows <= rows_end_;
    row_ += kRows;
    return true;
  }

  // How many key tiles come before this one in the order of the row tile (deterministic backward).
  __device__ __forceinline__ int rank(const RowTile&) const { return rank_; }

 private:
  // A row's token is at least its index: the row sought is not behind index `key`, and is it when no token was left
  // out.
  __device__ __forceinline__ int first_row_at(int key) const {
    const int guess = min(key, rows_);
    if (guess > 0 && guess < rows_ && token_[guess - 1] == guess - 1 && key == guess) return guess;
    return bisect_by_warp(token_, 0, guess, key);
  }

  const int32_t *token_, *start_;
  int rows_;
  int next_key_, end_;  // where the next key tile is looked for, and up to where
  int rows_end_ = 0, first_tile_row_ = 0, row_ = 0, rank_ = 0;
  int full_row_ = 0;  // rows from here on see the whole key tile
};

}  // namespace eyrie::gpu
