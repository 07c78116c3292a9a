// attention/block_mask.h: which tiles of the query-key matrix of suffix attention hold a pair that may attend.
//
// Row r < valid_rows stands at token[r] of a sequence that starts at start[r]. Its keys, in one flat order, are
//   round 0         start[r] .. token[r]                                      (the prefix, causal)
//   round p >= 1    tokens + (p - 1) * suffix_rows + suffix_row[r]            (its own key of suffix p), p < rounds
// A tile of tile.rows x tile.keys pairs is FULL when every pair may attend (a kernel skips the mask test), PARTIAL when
// some may, absent otherwise; a pair outside the matrix may not, so a tile over its edge is never FULL.
// Built from the formulas alone: O(tiles listed) time and memory, never O(rows * keys).
#pragma once
#include <vector>

#include "attention/suffix_attention.h"

namespace eyrie {

struct BlockTile {
  int32_t rows = 128;  // at least 2: only prefix tiles can be FULL then
  int32_t keys = 128;
};

// The arrays are i32 [rows] on the device that builds, or null for the dense forms given behind them. `tokens` and
// `suffix_rows` may be more than are there (rounded up to a tile, say): keys without a row are seen by none.
struct BlockMaskRows {
  int64_t rows = 0;
  int64_t tokens = 0;                   // prefix keys
  int64_t suffix_rows = 0;              // keys of one suffix round; read when rounds > 1
  int64_t rounds = 1;                   // R: the prefix and R - 1 suffixes
  int64_t valid_rows = -1;              // rows from here on are padding: they see nothing; -1: all are valid
  const int32_t* token = nullptr;       // ascending                              null: row r
  const int32_t* start = nullptr;       // one value per sequence, <= token       null: 0
  const int32_t* suffix_row = nullptr;  // ascending, below suffix_rows           null: row r

  int64_t valid() const { return valid_rows < 0 ? rows : valid_rows; }
  int64_t keys() const { return tokens + (rounds - 1) * suffix_rows; }
};

// `count` rows over as many tokens; those from `length` on are right padding (-1: none).
BlockMaskRows dense_rows(int64_t count, int64_t rounds, int64_t length = -1);
// start[] of documents packed end to end, for dense_rows of as many rows or more.
std::vector<int32_t> document_starts(const std::vector<int64_t>& lengths);  // Error{input} beyond 32 bits
// Of a problem, each part of its keys rounded up: no tile reaches from the prefix into a suffix, nor into the next.
BlockMaskRows mask_rows(const SuffixAttention& problem, BlockTile tile);

// Line l of a list: indices[offsets[l]] .. indices[offsets[l + 1] - 1], ascending.
struct TileList {
  int32_t* offsets = nullptr;  // [lines + 1]
  int32_t* indices = nullptr;
};

// Plain views of memory on either device; goes by value into a kernel.
struct BlockMask {
  BlockTile tile = {};
  int32_t row_tiles = 0, key_tiles = 0;
  TileList full_keys = {}, partial_keys = {};  // a line per row tile: its key tiles (forward, d_q)
  TileList full_rows = {}, partial_rows = {};  // a line per key tile: its row tiles (d_k, d_v)
};

struct BlockMaskSizes {
  int64_t row_tiles = 0, key_tiles = 0;
  int64_t full = 0, partial = 0;                                                         // tiles listed, at most
  int64_t elements() const { return 2 * (full + partial + row_tiles + key_tiles + 2); }  // int32s of a BlockMask
};

// All throw Error{input} naming the member, what was expected and what was found.
// A bound from the counts alone (the arrays are not read): what a plan reserves before the lengths are known. FULL is
// bounded by one causal sequence; PARTIAL by O(row_tiles * rounds + key_tiles).
BlockMaskSizes block_mask_capacity(const BlockMaskRows& rows, BlockTile tile);
// Exactly what will be listed; arrays on the CPU.
BlockMaskSizes count_tiles(const BlockMaskRows& rows, BlockTile tile);

// Lays the lists out in memory[0 .. sizes.elements()), which build then fills.
BlockMask place_block_mask(const BlockMaskSizes& sizes, BlockTile tile, int32_t* memory);
void build_block_mask(const BlockMaskRows& rows, const BlockMask& mask);

struct OwnedBlockMask {
  Buffer memory = {};  // of exactly the tiles listed
  BlockMask mask = {};
  BlockMaskSizes sizes = {};
};
OwnedBlockMask make_block_mask(const BlockMaskRows& rows, BlockTile tile);

// The layout of FlexAttention's BlockMask and of FA4's block-sparse tensors: i32, a batch entry per mask (all of the
// same tile counts), one head; indices ascending, tails 0; kv_* lists the PARTIAL tiles, full_* the FULL ones.
struct PaddedBlockMask {
  Buffer kv_num_blocks, full_kv_num_blocks;  // [masks, 1, row_tiles]
  Buffer kv_indices, full_kv_indices;        // [masks, 1, row_tiles, key_tiles]
  Buffer q_num_blocks, full_q_num_blocks;    // [masks, 1, key_tiles]
  Buffer q_indices, full_q_indices;          // [masks, 1, key_tiles, row_tiles]
};
int64_t padded_bytes(const BlockMaskSizes& sizes);  // of one batch entry
PaddedBlockMask to_padded(const std::vector<BlockMask>& masks);

namespace cuda {
class Stream;
// The same lists, built on the device: rows' arrays and the lists lie there, which block_mask_capacity has sized.
// Three kernels on `stream`: no allocation, no synchronisation, may be captured in a graph. The counts are checked,
// the arrays trusted.
void build_block_mask(const BlockMaskRows& rows, const BlockMask& mask, const Stream& stream);
}  // namespace cuda

}  // namespace eyrie
