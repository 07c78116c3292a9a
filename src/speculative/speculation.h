// speculative/speculation.h: the cycle of speculation over many sequences at once (spec §8), as four verbs:
//
//   propose   drafts of each sequence, one step of the chain for all of them at a time
//   verify    one forward of the target over the planned rows of all: prompts, last tokens, drafts
//   keep      the target's choices: the drafts accepted, and its own token behind them
//   extend    the draft over the rows that stay, from their real taps
//
// Each sequence has planned its step (sequence.h). A sequence's tokens and logits are bitwise those of a run alone,
// whatever others stand beside it and wherever each of them is.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "speculative/paged_models.h"
#include "speculative/sequence.h"

namespace eyrie {

struct Speculation {
  // `draft_` may be null. A step holds `limits.rows` rows at most, each of its sequences a chain below `limits.logits`.
  Speculation(Exec& exec_, const Target& target_, const Draft* draft_, const StepLimits& limits)
      : exec(exec_), target(target_), paged_target(target_, draft_ ? &draft_->config : nullptr, limits), arrays(exec_) {
    if (draft_) paged_draft.emplace(*draft_, limits);
  }
  StepRows step_rows() { return make_step_rows(exec, arrays, runs); }

  Exec& exec;
  const Target& target;
  PagedTarget paged_target;
  std::optional<PagedDraft> paged_draft;
  HostArrays arrays;               // of the step at hand
  std::vector<SequenceRows> runs;  // of the step at hand
};

using Sequences = std::span<Sequence* const>;
// Those extended last, all of them or some; no other call of the draft may lie between.
void propose(Speculation&, Sequences);
void verify(Speculation&, Sequences);
void keep(Speculation&, Sequences);    // those of the last verify, in its order
void extend(Speculation&, Sequences);  // those of the last verify that go on; reads its taps

}  // namespace eyrie
