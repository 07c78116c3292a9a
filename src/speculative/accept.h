// speculative/accept.h: which drafts a verify keeps, and the accept length (spec §8, §3; docs/math.md, "Acceptance").
//
//   at row j of a verify the target chooses y_j; while y_j equals draft j+1 the walk descends, else it emits y_j and
//   ends. m accepted drafts keep m+1 tokens. Draws depend on the position alone, so the tokens are those of plain
//   decode.
//   accept length = tokens kept / verify steps, bonus included, the prefill's first token excluded
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace eyrie {

// m. `chosen`: y_0 .. as far as they are drawn; the walk is over once there are more of them than m.
int64_t accepted(std::span<const int32_t> drafts, std::span<const int32_t> chosen);

// Verify steps counted by the tokens they kept.
struct AcceptStatistics {
  std::vector<int64_t> steps_by_tokens;  // [n+2] index: tokens kept, 1 .. n+1

  void add(int64_t tokens_kept);
  void add(const AcceptStatistics& other);
  int64_t verify_steps() const;
  int64_t tokens() const;
  double accept_length() const;  // 0 without steps
};

// Walked accept length of one span. right_depths[i]: how many depths in a row, from depth 0, the draft was right at the
// span's row i; the rows are the consecutive ones supervised at depth 0 (the row before the span's first token up to
// two tokens before its last). Row i keeps min(m, chain)+1 tokens and the walk goes on there. On the target's own text
// these are the verify steps of serving it, for any chain <= the depths tried.
AcceptStatistics walk_span(std::span<const int32_t> right_depths, int64_t chain);

}  // namespace eyrie
