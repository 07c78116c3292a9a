#include "attention/block_mask.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "attention/block_mask_geometry.h"
#include "attention/checks.h"

namespace eyrie {
namespace {

using block_mask::Geometry;
using block_mask::KeyLine;
using block_mask::RowLine;

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
    block_mask::expect_listable(sizes);  // at once: there may be a billion lines
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
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
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
  return {.rows = problem.q.dim(0),
          .tokens = in_whole_tiles(problem.prefix_k.dim(0)),
          .suffix_rows = suffix ? in_whole_tiles(problem.suffix_k.dim(1)) : 0,
          .rounds = problem.depth() + 1,
          .token = problem.token.as<int32_t>(),
          .start = problem.start.as<int32_t>(),
          .suffix_row = suffix ? problem.suffix_row.as<int32_t>() : nullptr};
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
