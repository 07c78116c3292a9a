#include "attention/block_mask.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "attention/block_mask_problem_cases.h"

namespace eyrie {
namespace {

std::vector<int32_t> line(const TileList& list, int64_t i) {
  return {list.indices + list.offsets[i], list.indices + list.offsets[i + 1]};
}

std::vector<int32_t> expected_line(int64_t tiles, TileKind wanted, const std::function<TileKind(int64_t)>& kind) {
  std::vector<int32_t> found;
  for (int64_t tile = 0; tile < tiles; ++tile)
    if (kind(tile) == wanted) found.push_back(static_cast<int32_t>(tile));
  return found;
}

void expect_predicate(const BlockMaskProblem& problem, const BlockMask& mask) {
  ASSERT_EQ(mask.row_tiles, problem.row_tiles());
  ASSERT_EQ(mask.key_tiles, problem.key_tiles());
  std::vector<std::vector<TileKind>> kinds(static_cast<size_t>(mask.row_tiles));
  for (int64_t i = 0; i < mask.row_tiles; ++i)
    for (int64_t n = 0; n < mask.key_tiles; ++n) kinds[static_cast<size_t>(i)].push_back(problem.kind(i, n));
  const auto kind = [&](int64_t i, int64_t n) { return kinds[static_cast<size_t>(i)][static_cast<size_t>(n)]; };
  for (int64_t i = 0; i < mask.row_tiles; ++i) {
    const auto of_row = [&](int64_t n) { return kind(i, n); };
    ASSERT_EQ(line(mask.full_keys, i), expected_line(mask.key_tiles, TileKind::full, of_row))
        << "FULL of row tile " << i;
    ASSERT_EQ(line(mask.partial_keys, i), expected_line(mask.key_tiles, TileKind::partial, of_row))
        << "PARTIAL of row tile " << i;
  }
  for (int64_t n = 0; n < mask.key_tiles; ++n) {
    const auto of_key = [&](int64_t i) { return kind(i, n); };
    ASSERT_EQ(line(mask.full_rows, n), expected_line(mask.row_tiles, TileKind::full, of_key))
        << "FULL of key tile " << n;
    ASSERT_EQ(line(mask.partial_rows, n), expected_line(mask.row_tiles, TileKind::partial, of_key))
        << "PARTIAL of key tile " << n;
  }
}

void expect_right(const BlockMaskProblem& problem) {
  const OwnedBlockMask made = make_block_mask(problem.rows, problem.tile);
  expect_predicate(problem, made.mask);
  const BlockMaskSizes most = block_mask_capacity(problem.rows, problem.tile);
  EXPECT_EQ(made.mask.full_keys.offsets[made.mask.row_tiles], made.sizes.full);
  EXPECT_EQ(made.mask.partial_keys.offsets[made.mask.row_tiles], made.sizes.partial);
  EXPECT_EQ(made.mask.full_rows.offsets[made.mask.key_tiles], made.sizes.full);
  EXPECT_EQ(made.mask.partial_rows.offsets[made.mask.key_tiles], made.sizes.partial);
  EXPECT_LE(made.sizes.full, most.full);
  EXPECT_LE(made.sizes.partial, most.partial);
}

TEST(BlockMask, EqualsThePredicateTileByTile) {
  RandomStream draw("block mask");
  for (int i = 0; i < 4000; ++i) {
    const BlockMaskProblem problem = random_block_mask(draw);
    SCOPED_TRACE(::testing::Message() << "shape " << i << ": " << problem.rows.rows << " rows, " << problem.rows.tokens
                                      << " tokens, " << problem.rows.rounds << " rounds, tile " << problem.tile.rows
                                      << "x" << problem.tile.keys);
    ASSERT_NO_FATAL_FAILURE(expect_right(problem));
  }
}

TEST(BlockMask, EqualsThePredicateAtKernelTiles) {
  for (const BlockTile tile : {BlockTile{128, 128}, {256, 128}, {64, 128}, {128, 64}})
    for (const int64_t count : {127, 128, 129, 300, 512})
      for (const int64_t length : {int64_t{-1}, int64_t{0}, int64_t{1}, count - 1}) {
        BlockMaskProblem problem{.rows = dense_rows(count, 3, length), .tile = tile};
        ASSERT_NO_FATAL_FAILURE(expect_right(problem)) << count << " rows, length " << length;
        problem.start = document_starts({100, 1, 26, count - 127}), problem.start.resize(static_cast<size_t>(count));
        problem.point();
        ASSERT_NO_FATAL_FAILURE(expect_right(problem)) << count << " rows in documents, length " << length;
      }
}

// Row tile i lists FULL 0..i r - 1 and PARTIAL i r + u + p Q / tile.keys (u < r, p < rounds), where all divide.
TEST(BlockMask, AlignedClosedForm) {
  constexpr int32_t kRows = 4096, kRounds = 5;
  for (const BlockTile tile : {BlockTile{128, 128}, {256, 128}, {128, 64}}) {
    const OwnedBlockMask made = make_block_mask(dense_rows(kRows, kRounds), tile);
    const int32_t r = tile.rows / tile.keys;
    for (int32_t i = 0; i < kRows / tile.rows; ++i) {
      std::vector<int32_t> fulls(static_cast<size_t>(i * r)), partials;
      std::iota(fulls.begin(), fulls.end(), 0);
      for (int32_t p = 0; p < kRounds; ++p)
        for (int32_t u = 0; u < r; ++u) partials.push_back(i * r + u + p * (kRows / tile.keys));
      EXPECT_EQ(line(made.mask.full_keys, i), fulls);
      EXPECT_EQ(line(made.mask.partial_keys, i), partials);
    }
  }
}

TEST(BlockMask, Sizes) {
  constexpr double kMB = 1e6;
  const OwnedBlockMask small = make_block_mask(dense_rows(4096, 5), {});
  EXPECT_LE(padded_bytes(small.sizes), 0.1 * kMB);
  const BlockMaskRows long_rows = dense_rows(49152, 5);
  const OwnedBlockMask large = make_block_mask(long_rows, {});
  EXPECT_LE(large.memory.tensor().bytes(), kMB);
  EXPECT_LE(block_mask_capacity(long_rows, {}).elements() * 4, kMB);
  EXPECT_LE(padded_bytes(large.sizes), 12 * kMB);
}

// The eight tensors hold the lists, an entry per mask, and 0 behind them.
TEST(BlockMask, Padded) {
  constexpr int64_t kRows = 40, kRounds = 3;
  const BlockTile tile = {8, 4};
  std::vector<OwnedBlockMask> made;
  std::vector<BlockMask> masks;
  for (const int64_t length : {40, 0, 1, 23}) {
    made.push_back(make_block_mask(dense_rows(kRows, kRounds, length), tile));
    masks.push_back(made.back().mask);
  }
  const PaddedBlockMask padded = to_padded(masks);
  EXPECT_EQ(padded.kv_indices.tensor().shape, (Shape{4, 1, 5, 30}));
  EXPECT_EQ(padded.q_indices.tensor().shape, (Shape{4, 1, 30, 5}));
  const auto expect_list = [&](TileList BlockMask::*list, const Buffer& counts, const Buffer& indices) {
    const Tensor all = indices.tensor();
    for (int64_t b = 0; b < all.dim(0); ++b)
      for (int64_t i = 0; i < all.dim(2); ++i) {
        std::vector<int32_t> expected = line(masks[static_cast<size_t>(b)].*list, i);
        EXPECT_EQ(counts.tensor()[b][0].as<int32_t>()[i], static_cast<int32_t>(expected.size()));
        expected.resize(static_cast<size_t>(all.dim(3)));
        const int32_t* found = all[b][0][i].as<int32_t>();
        EXPECT_EQ(std::vector<int32_t>(found, found + all.dim(3)), expected) << "mask " << b << ", line " << i;
      }
  };
  int64_t bytes = 0;
  for (const Buffer* each :
       {&padded.kv_num_blocks, &padded.kv_indices, &padded.full_kv_num_blocks, &padded.full_kv_indices,
        &padded.q_num_blocks, &padded.q_indices, &padded.full_q_num_blocks, &padded.full_q_indices})
    bytes += each->tensor().bytes();
  EXPECT_EQ(bytes, 4 * padded_bytes(made[0].sizes));
  expect_list(&BlockMask::partial_keys, padded.kv_num_blocks, padded.kv_indices);
  expect_list(&BlockMask::full_keys, padded.full_kv_num_blocks, padded.full_kv_indices);
  expect_list(&BlockMask::partial_rows, padded.q_num_blocks, padded.q_indices);
  expect_list(&BlockMask::full_rows, padded.full_q_num_blocks, padded.full_q_indices);
}

// A mask of the bound's size: nothing is written behind its lists.
TEST(BlockMask, BuildsInGivenMemory) {
  constexpr int32_t kGuard = -77;
  const BlockMaskRows rows = dense_rows(100, 4, 61);
  const BlockTile tile = {16, 8};
  const BlockMaskSizes most = block_mask_capacity(rows, tile);
  std::vector<int32_t> memory(static_cast<size_t>(most.elements()) + 1, kGuard);
  const BlockMask mask = place_block_mask(most, tile, memory.data());
  build_block_mask(rows, mask);
  expect_predicate({.rows = rows, .tile = tile}, mask);
  EXPECT_EQ(memory.back(), kGuard);
}

std::string refusal(const BlockMaskRows& rows, BlockTile tile = {}) {
  try {
    make_block_mask(rows, tile);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

TEST(BlockMask, Refusals) {
  EXPECT_EQ(refusal(dense_rows(4, 1), {1, 128}), "tile.rows: expected 2 to 65536, found 1");
  EXPECT_EQ(refusal(dense_rows(4, 1), {128, 0}), "tile.keys: expected 1 to 65536, found 0");
  EXPECT_EQ(refusal(dense_rows(4, 0)), "rounds: expected 1 to 536870847, found 0");
  EXPECT_EQ(refusal(dense_rows(-1, 1)).substr(0, 6), "rows: ");
  EXPECT_EQ(refusal(dense_rows(4, 1, 5)), "valid_rows: expected -1 to 4, found 5");
  EXPECT_EQ(refusal({.rows = 4, .tokens = 3}), "tokens: expected 4 to 2147483647, found 3");
  EXPECT_EQ(refusal({.rows = 4, .tokens = 4, .suffix_rows = 3, .rounds = 2}).substr(0, 27),
            "suffix_rows: expected 4 to ");
  EXPECT_EQ(refusal(dense_rows(int64_t{1} << 30, 3)), "rounds: expected 1 to 1, found 3");
  EXPECT_EQ(refusal(dense_rows(2048, 2000000000)), "rounds: expected 1 to 1048575, found 2000000000");
  EXPECT_THROW(document_starts({1, 3000000000}), Error);
  const std::vector<int32_t> falling = {0, 2, 1}, late = {0, 2, 2}, inside = {0, 0, 1}, high = {0, 1, 3};
  EXPECT_EQ(refusal({.rows = 3, .tokens = 3, .token = falling.data()}),
            "token: expected ascending values, found 1 behind 2 at row 2");
  EXPECT_EQ(refusal({.rows = 3, .tokens = 3, .token = high.data()}),
            "token: row 2: expected an index below 3, found 3");
  EXPECT_EQ(refusal({.rows = 3, .tokens = 3, .start = late.data()}),
            "start: row 1: expected a start up to its token 1, found 2");
  EXPECT_EQ(refusal({.rows = 3, .tokens = 3, .start = inside.data()}),
            "start: row 2 starts at 1, inside the sequence of the row before it (token 1)");
  EXPECT_EQ(refusal({.rows = 3, .tokens = 3, .suffix_rows = 3, .rounds = 2, .suffix_row = high.data()}),
            "suffix_row: row 2: expected an index below 3, found 3");
}

}  // namespace
}  // namespace eyrie
