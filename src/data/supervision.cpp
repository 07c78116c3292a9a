#include "data/supervision.h"

#include <algorithm>

#include "tensor/packed.h"

namespace eyrie {
namespace {

// The rows of the span [a, b] = [first, last] (t + 1 >= a and t + 2 <= b) in the sequence that starts at `start`.
void add_span_rows(int32_t first, int32_t last, int32_t start, Supervision& out) {
  for (int32_t t = std::max(start, first - 1); t + 2 <= last; ++t) {
    const int64_t last_depth = std::min<int64_t>(last - 2 - t, out.depths - 1);
    out.row_token.push_back(t);
    out.row_start.push_back(start);
    out.row_last_depth.push_back(static_cast<int32_t>(last_depth));
    for (int64_t k = 0; k <= last_depth; ++k) ++out.rows_at_depth[static_cast<size_t>(k)];
  }
}

// Depth 0's tokens of a sequence: start .. its last row; and where each of its rows stands among them.
void add_prefix(int32_t start, size_t first_row, Supervision& out) {
  if (first_row == out.row_token.size()) return;
  const auto prefix_begin = static_cast<int32_t>(out.prefix_token.size());
  for (int32_t t = start; t <= out.row_token.back(); ++t) {
    out.prefix_token.push_back(t);
    out.prefix_start.push_back(prefix_begin);
  }
  for (size_t r = first_row; r < out.row_token.size(); ++r)
    out.row_prefix.push_back(prefix_begin + out.row_token[r] - start);
}

}  // namespace

Supervision supervise(std::span<const uint8_t> loss_mask, std::span<const int32_t> cu_seqlens, int64_t depths) {
  expect_packed(cu_seqlens, static_cast<int64_t>(loss_mask.size()));
  Supervision out;
  out.depths = depths;
  out.rows_at_depth.assign(static_cast<size_t>(depths), 0);
  for (size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const int32_t start = cu_seqlens[s], end = cu_seqlens[s + 1];
    const size_t first_row = out.row_token.size();
    for (int32_t t = start; t < end; ++t) {
      if (!loss_mask[static_cast<size_t>(t)]) continue;
      const int32_t first = t;
      while (t + 1 < end && loss_mask[static_cast<size_t>(t) + 1]) ++t;
      add_span_rows(first, t, start, out);
    }
    add_prefix(start, first_row, out);
  }
  return out;
}

}  // namespace eyrie
