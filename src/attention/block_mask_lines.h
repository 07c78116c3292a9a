// attention/block_mask_lines.h: the rules of block_mask.h for one line of a list, the same on the CPU and in CUDA
// (where constexpr functions run too).
//
// Tokens, starts and suffix rows ascend, so every set asked for is a union of few intervals, each found by bisection:
//   a row sees key tile [k0, k1) in the prefix   iff token >= k0 and start < k1     (one interval of rows)
//   a row tile is FULL in it                     iff start[last] <= k0 and token[first] >= k1 - 1
//   a row's suffix key lies in it                iff suffix_row is in the part of a round that the tile covers
// FULL is one interval of every line; PARTIAL is what else a line touches.
#pragma once
#include "attention/bisect.h"
#include "attention/block_mask.h"

namespace eyrie::block_mask {

struct Range {
  int32_t begin = 0, end = 0;
  constexpr bool empty() const { return begin >= end; }
  constexpr bool holds(int32_t i) const { return begin <= i && i < end; }
  constexpr int32_t size() const { return empty() ? 0 : end - begin; }
};

// BlockMaskRows and a tile after the door's check: everything fits 32 bits, a tile past the last key too.
struct Geometry {
  int32_t rows, tokens, suffix_rows, rounds, keys;  // rows: the valid ones
  int32_t tile_rows, tile_keys, row_tiles, key_tiles;
  const int32_t *token, *start, *suffix_row;

  constexpr int32_t token_of(int32_t row) const { return token ? token[row] : row; }
  constexpr int32_t start_of(int32_t row) const { return start ? start[row] : 0; }
  constexpr int32_t suffix_row_of(int32_t row) const { return suffix_row ? suffix_row[row] : row; }
};

// The door of block_mask.h, for the CPU's builder and the device's: checks the counts and the tile, not the arrays.
Geometry make_geometry(const BlockMaskRows& rows, BlockTile tile);
void expect_place(const Geometry& geometry, const BlockMask& mask);

constexpr int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
constexpr int32_t larger(int32_t a, int32_t b) { return a < b ? b : a; }
constexpr int32_t tiles_over(int32_t count, int32_t tile) { return (count + tile - 1) / tile; }
constexpr Range tiles_of(Range items, int32_t tile) {  // that hold one of the items
  if (items.empty()) return {};
  return {items.begin / tile, (items.end - 1) / tile + 1};
}

// The first row of `rows` whose value is at least `least`, or rows.end. The values rise by one at least (null: row r's
// is r): without a gap they need no search.
constexpr int32_t first_at_least(const int32_t* values, Range rows, int32_t least) {
  if (rows.empty()) return rows.end;
  const int32_t first = values ? values[rows.begin] : rows.begin;
  if (values && values[rows.end - 1] - first >= rows.size()) return bisect(values, rows.begin, rows.end, least);
  return least <= first ? rows.begin : smaller(rows.begin + (least - first), rows.end);
}

constexpr int32_t first_start_at_least(const Geometry& g, int32_t least) {
  if (g.start) return bisect(g.start, 0, g.rows, least);
  return least <= 0 ? 0 : g.rows;
}

// Key tiles of one row tile.
struct RowLine {
  const Geometry& g;
  Range rows, full;

  constexpr RowLine(const Geometry& geometry, int32_t row_tile) : g(geometry) {
    rows.begin = row_tile * g.tile_rows;
    rows.end = smaller(rows.begin + g.tile_rows, g.rows);
    if (rows.size() < g.tile_rows) return;
    full = {tiles_over(g.start_of(rows.end - 1), g.tile_keys), (g.token_of(rows.begin) + 1) / g.tile_keys};
  }

  constexpr int32_t end() const { return g.key_tiles; }

  constexpr int32_t next(int32_t key_tile) const {  // the first touched one from here on
    if (rows.empty()) return end();
    const int32_t key = key_tile * g.tile_keys;
    if (key < g.tokens) {
      const int32_t row = first_at_least(g.token, rows, key);
      if (row < rows.end) return larger(key_tile, g.start_of(row) / g.tile_keys);
    }
    return next_suffix(larger(key - g.tokens, 0));
  }

 private:
  constexpr int32_t next_suffix(int32_t key) const {  // counted from the first suffix key
    if (g.rounds == 1) return end();
    int32_t suffix = key / g.suffix_rows;
    int32_t row = first_at_least(g.suffix_row, rows, key % g.suffix_rows);
    if (row == rows.end) ++suffix, row = rows.begin;
    if (suffix >= g.rounds - 1) return end();
    return (g.tokens + suffix * g.suffix_rows + g.suffix_row_of(row)) / g.tile_keys;
  }
};

// Row tiles of one key tile.
struct KeyLine {
  const Geometry& g;
  Range full;
  Range touched[3];  // by the prefix, and by the first and last of the suffix rounds that the tile covers

  constexpr KeyLine(const Geometry& geometry, int32_t key_tile) : g(geometry) {
    const int32_t begin = key_tile * g.tile_keys, end = begin + g.tile_keys;
    if (begin < g.tokens) add_prefix(begin, end);
    if (smaller(end, g.keys) > g.tokens) add_suffix({larger(begin - g.tokens, 0), smaller(end, g.keys) - g.tokens});
  }

  constexpr int32_t end() const { return g.row_tiles; }

  constexpr int32_t next(int32_t row_tile) const {
    int32_t nearest = end();
    for (const Range& range : touched)
      if (row_tile < range.end) nearest = smaller(nearest, larger(row_tile, range.begin));
    return nearest;
  }

 private:
  constexpr void add_prefix(int32_t begin, int32_t end) {
    const Range all = {0, g.rows};
    touched[0] = tiles_of({first_at_least(g.token, all, begin), first_start_at_least(g, end)}, g.tile_rows);
    full = {tiles_over(first_at_least(g.token, all, end - 1), g.tile_rows),
            first_start_at_least(g, begin + 1) / g.tile_rows};
  }

  constexpr void add_suffix(Range keys) {
    const int32_t first = keys.begin / g.suffix_rows, last = (keys.end - 1) / g.suffix_rows;
    const Range head = {keys.begin - first * g.suffix_rows, smaller(keys.end - first * g.suffix_rows, g.suffix_rows)};
    touched[1] = last > first + 1 ? tiles_of({0, g.rows}, g.tile_rows) : tiles_with_suffix(head);
    if (last > first) touched[2] = tiles_with_suffix({0, keys.end - last * g.suffix_rows});
  }

  constexpr Range tiles_with_suffix(Range keys) const {  // keys of one round
    const Range all = {0, g.rows};
    return tiles_of({first_at_least(g.suffix_row, all, keys.begin), first_at_least(g.suffix_row, all, keys.end)},
                    g.tile_rows);
  }
};

template <typename Line, typename Visit>
constexpr void for_each_partial(const Line& line, Visit&& visit) {
  for (int32_t tile = line.next(0); tile < line.end(); tile = line.next(tile + 1)) {
    if (line.full.holds(tile))
      tile = line.full.end - 1;
    else
      visit(tile);
  }
}

}  // namespace eyrie::block_mask
