// data/supervision.h: the one place that knows the rule of spec §3: spans -> which (row, depth) are supervised, the row
// set R, positions, n_k. docs/math.md, "Supervision".
//
//   span [a, b]: a maximal run of loss_mask = 1 inside one sequence
//   (t, k) supervised  iff  start(a) <= t,  t + 1 >= a  and  t + 2 + k <= b
//   R: the rows supervised at depth 0, ascending; a row keeps its index at every depth
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace eyrie {

struct Supervision {
  int64_t depths = 0;                   // K
  std::vector<int32_t> row_token;       // [R] t of each row, ascending
  std::vector<int32_t> row_start;       // [R] first token of the row's sequence
  std::vector<int32_t> row_last_depth;  // [R] the largest k at which the row is supervised
  std::vector<int32_t>
      prefix_token;  // [P] tokens depth 0 computes h0, K0, V0 for: up to the last row of their sequence
  std::vector<int32_t> prefix_start;   // [P] index in prefix_token of the first one of the same sequence
  std::vector<int32_t> row_prefix;     // [R] index in prefix_token of row's own token
  std::vector<int64_t> rows_at_depth;  // [K] |S_k|
  int64_t rows() const { return static_cast<int64_t>(row_token.size()); }
  bool supervised(int64_t row, int64_t depth) const { return depth <= row_last_depth[static_cast<size_t>(row)]; }
};

// loss_mask [T], cu_seqlens [B+1]. Errors: Error{input} when cu_seqlens does not rise from 0 to T.
Supervision supervise(std::span<const uint8_t> loss_mask, std::span<const int32_t> cu_seqlens, int64_t depths);

}  // namespace eyrie
