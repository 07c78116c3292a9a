// attention/cpu/attend_block.h: the leaf loop of paged attention, one block of keys for a few query lanes. A lane is
// one query head of one row; its sums depend on its own keys alone, never on the lanes beside it.
#pragma once
#include <cstdint>

namespace eyrie::paged {

inline constexpr int64_t kBlockKeys = 64;  // by absolute position: the order of every sum
inline constexpr int64_t kWidth = 16;      // rows are padded with zeros to a multiple of this many floats

struct Block {
  const float* const* k;  // [keys] rows of `dim` floats
  const float* const* v;  // [keys] rows of `value_dim` floats
  int64_t keys;           // 1..kBlockKeys
  int64_t lanes;
  int64_t dim, value_dim;  // multiples of kWidth
  const float* q;          // [lanes, dim], times scale and log2(e)
  float* o;                // [lanes, value_dim], the sum of weight times v so far
  float* highest;          // [lanes], the highest score so far (finite from the start)
  float* sum;              // [lanes], the sum of weights so far
};

void attend_block(const Block& block);

}  // namespace eyrie::paged
