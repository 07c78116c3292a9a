#include "attention/block_mask_geometry.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "attention/checks.h"

namespace eyrie {
namespace block_mask {
namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

void expect_between(const char* argument, int64_t found, int64_t least, int64_t most) {
  if (found < least || found > most)
    expect(false, argument, fmt::format("expected {} to {}, found {}", least, most, found));
}

}  // namespace

Geometry make_geometry(const BlockMaskRows& rows, BlockTile tile) {
  constexpr int64_t kMostOfTile = 1 << 16;
  expect_between("tile.rows", tile.rows, 2, kMostOfTile);
  expect_between("tile.keys", tile.keys, 1, kMostOfTile);
  // With room for a tile behind the last, so that no bound of a tile leaves 32 bits.
  expect_between("rows", rows.rows, 0, kMost - 2 * tile.rows);
  expect_between("valid_rows", rows.valid_rows, -1, rows.rows);
  expect_between("tokens", rows.tokens, 0, kMost - 2 * tile.keys);
  const int64_t most_suffix_keys = kMost - 2 * tile.keys - rows.tokens;
  expect_between("rounds", rows.rounds, 1, 1 + most_suffix_keys / std::max<int64_t>(rows.suffix_rows, 1));
  if (rows.rounds > 1) expect_between("suffix_rows", rows.suffix_rows, rows.valid(), most_suffix_keys);
  if (!rows.token) expect_between("tokens", rows.tokens, rows.valid(), kMost);
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  Geometry g{.rows = narrow(rows.valid()),
             .tokens = narrow(rows.tokens),
             .suffix_rows = narrow(rows.rounds > 1 ? rows.suffix_rows : 0),
             .rounds = narrow(rows.rounds),
             .keys = 0,
             .tile_rows = tile.rows,
             .tile_keys = tile.keys,
             .row_tiles = tiles_over(narrow(rows.rows), tile.rows),
             .key_tiles = 0,
             .token = rows.token,
             .start = rows.start,
             .suffix_row = rows.suffix_row};
  g.keys = g.tokens + (g.rounds - 1) * g.suffix_rows;
  g.key_tiles = tiles_over(g.keys, tile.keys);
  return g;
}

void expect_listable(const BlockMaskSizes& sizes) {
  expect_between("tiles listed", std::max(sizes.full, sizes.partial), 0, kMost);
}

void expect_place(const Geometry& geometry, const BlockMask& mask) {
  expect(mask.row_tiles == geometry.row_tiles && mask.key_tiles == geometry.key_tiles, "mask",
         fmt::format("expected {} x {} tiles, found {} x {}", geometry.row_tiles, geometry.key_tiles, mask.row_tiles,
                     mask.key_tiles));
}

}  // namespace block_mask

// FULL: token[r] <= tokens - valid + r, as tokens ascend, and no start is below 0. PARTIAL of the prefix, P its tiles:
// - a row tile inside one sequence lists the tile of its start, and those from its first to its last token, which
//   together pass over the prefix once: 2 row_tiles + P;
// - one that meets several sequences lists what they touch; a sequence is the first of one such row tile at most and
//   the last of one at most, so no key is touched twice more: row_tiles + 2 P; and the row tile over the edge: P.
// PARTIAL of a suffix: the row tiles pass over its keys once.
BlockMaskSizes block_mask_capacity(const BlockMaskRows& rows, BlockTile tile) {
  const block_mask::Geometry g = block_mask::make_geometry(rows, tile);
  BlockMaskSizes sizes{.row_tiles = g.row_tiles, .key_tiles = g.key_tiles};
  const int64_t first_token = g.token ? g.tokens - g.rows : 0;
  for (int64_t row = 0; row + g.tile_rows <= g.rows; row += g.tile_rows)
    sizes.full += std::max<int64_t>(first_token + row + 1, 0) / g.tile_keys;
  const int64_t row_tiles = sizes.row_tiles, prefix_tiles = block_mask::tiles_over(g.tokens, g.tile_keys);
  const int64_t suffix_tiles = block_mask::tiles_over(g.suffix_rows, g.tile_keys) + 1;
  sizes.partial = std::min(3 * row_tiles + 4 * prefix_tiles, row_tiles * prefix_tiles) +
                  (rows.rounds - 1) * std::min(row_tiles + suffix_tiles, row_tiles * suffix_tiles);
  block_mask::expect_listable(sizes);
  return sizes;
}

}  // namespace eyrie
