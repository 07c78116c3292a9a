#include "attention/block_mask.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "attention/block_mask_lines.h"
#include "attention/checks.h"

namespace eyrie {
namespace {

using block_mask::Geometry;
using block_mask::KeyLine;
using block_mask::RowLine;

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

void expect_between(const char* argument, int64_t found, int64_t least, int64_t most) {
  if (found < least || found > most)
    expect(false, argument, fmt::format("expected {} to {}, found {}", least, most, found));
}

void expect_listable(const BlockMaskSizes& sizes) {  // offsets are 32 bit
  expect_between("tiles listed", std::max(sizes.full, sizes.partial), 0, kMost);
}

}  // namespace

namespace block_mask {

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

void expect_place(const Geometry& geometry, const BlockMask& mask) {
  expect(mask.row_tiles == geometry.row_tiles && mask.key_tiles == geometry.key_tiles, "mask",
         fmt::format("expected {} x {} tiles, found {} x {}", geometry.row_tiles, geometry.key_tiles, mask.row_tiles,
                     mask.key_tiles));
}

}  // namespace block_mask

namespace {

void check_arrays(const BlockMaskRows& rows) {
  if (rows.token) expect_ascending("token", rows.token, rows.valid(), rows.tokens);
  if (rows.start) expect_starts(rows.start, rows.token, rows.valid());
  if (rows.suffix_row && rows.rounds > 1)
    expect_ascending("suffix_row", rows.suffix_row, rows.valid(), rows.suffix_rows);
}

Geometry checked_geometry(const BlockMaskRows& rows, BlockTile tile) {
  const Geometry geometry = block_mask::make_geometry(rows, tile);
  check_arrays(rows);
  return geometry;
}

template <typename Line>
void count(const Geometry& geometry, int32_t lines, BlockMaskSizes& sizes) {
  for (int32_t i = 0; i < lines; ++i) {
    const Line line(geometry, i);
    sizes.full += line.full.size();
    for_each_partial(line, [&](int32_t) { ++sizes.partial; });
    expect_listable(sizes);  // at once: there may be a billion lines
  }
}

template <typename Line>
void fill(const Geometry& geometry, int32_t lines, const TileList& full, const TileList& partial) {
  int32_t fulls = 0, partials = 0;
  for (int32_t i = 0; i < lines; ++i) {
    const Line line(geometry, i);
    full.offsets[i] = fulls, partial.offsets[i] = partials;
    for (int32_t tile = line.full.begin; tile < line.full.end; ++tile) full.indices[fulls++] = tile;
    for_each_partial(line, [&](int32_t tile) { partial.indices[partials++] = tile; });
  }
  full.offsets[lines] = fulls, partial.offsets[lines] = partials;
}

void fill(const Geometry& geometry, const BlockMask& mask) {
  fill<RowLine>(geometry, geometry.row_tiles, mask.full_keys, mask.partial_keys);
  fill<KeyLine>(geometry, geometry.key_tiles, mask.full_rows, mask.partial_rows);
}

BlockMaskSizes exact_sizes(const Geometry& geometry) {
  BlockMaskSizes sizes{.row_tiles = geometry.row_tiles, .key_tiles = geometry.key_tiles};
  count<RowLine>(geometry, geometry.row_tiles, sizes);
  return sizes;
}

void pad(const TileList& list, int64_t lines, const Tensor& counts, const Tensor& indices) {
  for (int64_t line = 0; line < lines; ++line) {
    const int32_t begin = list.offsets[line], end = list.offsets[line + 1];
    counts.as<int32_t>()[line] = end - begin;
    std::copy(list.indices + begin, list.indices + end, indices[line].as<int32_t>());
  }
}

}  // namespace

BlockMaskRows dense_rows(int64_t count, int64_t rounds, int64_t length) {
  return {.rows = count, .tokens = count, .suffix_rows = count, .rounds = rounds, .valid_rows = length};
}

std::vector<int32_t> document_starts(const std::vector<int64_t>& lengths) {
  int64_t left = kMost;
  for (const int64_t length : lengths) {
    if (length > left)
      throw Error(ErrorKind::input, "documents", fmt::format("expected at most {} rows in all, found more", kMost));
    left -= length;
  }
  std::vector<int32_t> starts;
  for (const int64_t length : lengths)
    starts.insert(starts.end(), static_cast<size_t>(length), static_cast<int32_t>(starts.size()));
  return starts;
}

BlockMaskRows mask_rows(const SuffixAttention& problem, BlockTile tile) {
  const auto in_whole_tiles = [&](int64_t keys) { return (keys + tile.keys - 1) / tile.keys * tile.keys; };
  const bool suffix = problem.depth() > 0;
  const Device there = problem.q.device;
  return {.rows = problem.q.dim(0),
          .tokens = in_whole_tiles(problem.prefix_k.dim(0)),
          .suffix_rows = suffix ? in_whole_tiles(problem.suffix_k.dim(1)) : 0,
          .rounds = problem.depth() + 1,
          .token = problem.token.as<int32_t>(there),
          .start = problem.start.as<int32_t>(there),
          .suffix_row = suffix ? problem.suffix_row.as<int32_t>(there) : nullptr};
}

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
  expect_listable(sizes);
  return sizes;
}

BlockMaskSizes count_tiles(const BlockMaskRows& rows, BlockTile tile) {
  return exact_sizes(checked_geometry(rows, tile));
}

BlockMask place_block_mask(const BlockMaskSizes& sizes, BlockTile tile, int32_t* memory) {
  const auto take = [&](int64_t count) { return std::exchange(memory, memory + count); };
  const auto list = [&](int64_t lines, int64_t tiles) { return TileList{take(lines + 1), take(tiles)}; };
  BlockMask mask{.tile = tile,
                 .row_tiles = static_cast<int32_t>(sizes.row_tiles),
                 .key_tiles = static_cast<int32_t>(sizes.key_tiles)};
  mask.full_keys = list(sizes.row_tiles, sizes.full), mask.partial_keys = list(sizes.row_tiles, sizes.partial);
  mask.full_rows = list(sizes.key_tiles, sizes.full), mask.partial_rows = list(sizes.key_tiles, sizes.partial);
  return mask;
}

void build_block_mask(const BlockMaskRows& rows, const BlockMask& mask) {
  const Geometry geometry = checked_geometry(rows, mask.tile);
  block_mask::expect_place(geometry, mask);
  fill(geometry, mask);
}

OwnedBlockMask make_block_mask(const BlockMaskRows& rows, BlockTile tile) {
  const Geometry geometry = checked_geometry(rows, tile);
  OwnedBlockMask made{.sizes = exact_sizes(geometry)};
  made.memory = Buffer(DType::i32, {made.sizes.elements()});
  made.mask = place_block_mask(made.sizes, tile, made.memory.tensor().as<int32_t>());
  fill(geometry, made.mask);
  return made;
}

int64_t padded_bytes(const BlockMaskSizes& sizes) {
  const int64_t lines = sizes.row_tiles + sizes.key_tiles, tiles = sizes.row_tiles * sizes.key_tiles;
  return (2 * lines + 4 * tiles) * size_bytes(DType::i32);
}

PaddedBlockMask to_padded(const std::vector<BlockMask>& masks) {
  const int64_t count = static_cast<int64_t>(masks.size());
  const int64_t row_tiles = count ? masks[0].row_tiles : 0, key_tiles = count ? masks[0].key_tiles : 0;
  const auto zeros = [](const Shape& shape) { return Buffer::zeros(DType::i32, shape); };
  const Shape rows = {count, 1, row_tiles}, keys = {count, 1, key_tiles};
  const Shape by_row = {count, 1, row_tiles, key_tiles}, by_key = {count, 1, key_tiles, row_tiles};
  PaddedBlockMask padded = {zeros(rows), zeros(rows), zeros(by_row), zeros(by_row),
                            zeros(keys), zeros(keys), zeros(by_key), zeros(by_key)};
  for (int64_t i = 0; i < count; ++i) {
    const BlockMask& mask = masks[static_cast<size_t>(i)];
    expect(mask.row_tiles == row_tiles && mask.key_tiles == key_tiles, "masks",
           fmt::format("expected {} x {} tiles each, found {} x {}", row_tiles, key_tiles, mask.row_tiles,
                       mask.key_tiles));
    const auto entry = [&](const Buffer& buffer) { return buffer.tensor()[i][0]; };
    pad(mask.partial_keys, row_tiles, entry(padded.kv_num_blocks), entry(padded.kv_indices));
    pad(mask.full_keys, row_tiles, entry(padded.full_kv_num_blocks), entry(padded.full_kv_indices));
    pad(mask.partial_rows, key_tiles, entry(padded.q_num_blocks), entry(padded.q_indices));
    pad(mask.full_rows, key_tiles, entry(padded.full_q_num_blocks), entry(padded.full_q_indices));
  }
  return padded;
}

}  // namespace eyrie
