// attention/block_mask_problem_cases.h: random problems of the block mask, and the predicate that says what it must
// list.
#pragma once
#include <vector>

#include "attention/block_mask.h"
#include "base/random.h"

namespace eyrie {

enum class TileKind : char { absent, partial, full };

struct BlockMaskProblem {
  std::vector<int32_t> token = {}, start = {}, suffix_row = {};  // empty: the dense form
  BlockMaskRows rows = {};
  BlockTile tile = {};

  void point();  // rows at the arrays that are not empty
  bool sees(int64_t row, int64_t key) const;
  TileKind kind(int64_t row_tile, int64_t key_tile) const;  // pair by pair
  int64_t row_tiles() const { return (rows.rows + tile.rows - 1) / tile.rows; }
  int64_t key_tiles() const { return (rows.keys() + tile.keys - 1) / tile.keys; }
};

// Up to 90 tokens and 8 rounds under small tiles of any shape; dense, packed, compacted and padded, and all of these.
BlockMaskProblem random_block_mask(RandomStream& draw);

}  // namespace eyrie
