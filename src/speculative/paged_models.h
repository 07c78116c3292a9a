// speculative/paged_models.h: a target and a draft over the rows of a step, whatever sequences these belong to. Each
// owns the buffers of a step, sized once; running allocates nothing more once exec's scratch has grown.
#pragma once
#include <span>
#include <vector>

#include "model/draft.h"
#include "speculative/step_rows.h"

namespace eyrie {

// Cache layers of a target, and behind them the draft's one layer.
std::vector<CacheLayer> cache_layers(const TargetConfig& target, const DraftConfig* draft);

// The most rows of a step, and the most of them whose logits are asked for.
struct StepLimits {
  int64_t rows = 0, logits = 0;
};

class PagedTarget {
 public:
  // With the taps that this draft reads; null: none.
  PagedTarget(const Target& target, const DraftConfig* draft, const StepLimits& limits);

  void run(Exec& exec, const StepRows& rows);
  // Of the last run, valid until the next: [rows, m·Ht]; [logits, V], which whoever chooses from them may change.
  ConstTensor taps() const { return taps_.tensor().slice(0, rows_); }
  Tensor logits() const { return logits_.tensor().slice(0, logit_rows_); }

 private:
  const Target& target_;
  std::vector<int64_t> tap_ids_;
  StepLimits limits_;
  int64_t rows_ = 0, logit_rows_ = 0;
  Buffer taps_, last_hidden_, logits_;
};

// The draft in the same pages; its slot i has position i. What a row hands on is kept until the next call, whose rows
// may go on from there.
class PagedDraft {
 public:
  PagedDraft(const Draft& draft, const StepLimits& limits);

  // Slots from the taps [n, m·Ht] of the target rows that they name as their source; tokens: those the slots take
  // (chain.h, tokens_taken). Rows without logits stand first: they are there for their keys and values alone.
  void extend(Exec& exec, const StepRows& rows, ConstTensor taps);
  // One chain step: each row goes on from what its source, a row of logits of the last call, handed on.
  void step(Exec& exec, const StepRows& rows);

  // Of the last call's rows of logits: the target id of the highest [logits], the logits [logits, Vd], and what each
  // row hands on [logits, H].
  std::span<const int32_t> best() const { return best_; }
  ConstTensor logits() const { return logits_.tensor().slice(0, std::ssize(best_)); }
  ConstTensor state() const { return state_; }

 private:
  void run(Exec& exec, const StepRows& rows, ConstTensor h);
  const Draft& draft_;
  StepLimits limits_;
  Buffer h2_, normed_, logits_;
  Tensor state_;  // [logits, H] in one of them
  std::vector<int32_t> best_;
};

}  // namespace eyrie
