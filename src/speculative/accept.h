// speculative/accept.h: which drafts a verify keeps, and the accept length (spec §8, §3; docs/math.md, "Acceptance").
//
//   at row j of a verify the target chooses y_j; while y_j equals draft j+1 the walk descends, else it emits y_j and
//   ends. m accepted drafts keep m+1 tokens. Draws depend on the position alone, so the tokens are those of plain
//   decode.
//   accept length = tokens kept / verify steps, bonus included, the prefill's first token excluded
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace eyrie {

// Called in order, for the rows the walk reaches: the target's own token after verify row `row`.
using ChooseToken = std::function<int32_t(int64_t row)>;
// Called for each token kept, in order; false: the sequence ends with this token (stop token, stop string, length).
using KeepToken = std::function<bool(int32_t token, bool from_draft)>;

struct Acceptance {
  int64_t accepted = 0;  // m, drafts kept
  int64_t tokens = 0;    // kept: m+1, or m when the sequence ended on an accepted draft
  bool ended = false;    // `keep` said so
};
Acceptance accept(std::span<const int32_t> drafts, const ChooseToken& choose, const KeepToken& keep);

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
