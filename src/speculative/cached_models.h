// speculative/cached_models.h: a target and a draft running over the pages of one sequence. Rows are any consecutive
// positions; the caller has reserved their pages. After the constructor nothing is allocated.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "model/draft.h"
#include "speculative/kv_cache.h"

namespace eyrie {

// Cache layers of a target, and behind them the draft's one layer.
std::vector<CacheLayer> cache_layers(const TargetConfig& target, const DraftConfig* draft);

// What one forward over rows of one sequence is told: tokens, positions, slots, pages.
class CachedRows {
 public:
  CachedRows(PagedSequence& sequence, int64_t max_rows);
  void set(std::span<const int32_t> tokens, int64_t first_position);
  ConstTensor token_ids() const { return rows_of(token_ids_); }
  ConstTensor positions() const { return rows_of(positions_); }
  int64_t count() const { return rows_; }
  // The last rows ask, `asking` of them.
  PagedRows attention(std::span<const PagedCache> layers, int64_t asking) const;
  const PagePool& pool() const { return sequence_.pool(); }

 private:
  ConstTensor rows_of(const Buffer& buffer) const { return buffer.tensor().slice(0, rows_); }
  PagedSequence& sequence_;
  int64_t rows_ = 0;
  Buffer token_ids_, positions_, slots_, row_sequence_;  // [max_rows] i32
};

class CachedTarget {
 public:
  // `tap_ids` empty: no taps. `logit_rows`: the most rows that logits() is asked for.
  CachedTarget(Exec& exec, const Target& target, PagedSequence& sequence, std::span<const int64_t> tap_ids,
               int64_t max_rows, int64_t logit_rows);
  CachedTarget(const CachedTarget&) = delete;
  CachedTarget& operator=(const CachedTarget&) = delete;

  void run(std::span<const int32_t> tokens, int64_t first_position);
  ConstTensor taps() const { return taps_.tensor().slice(0, rows_.count()); }  // [rows, m·Ht] of the last run
  // Logits of rows [begin, end) of the last run: [end-begin, V], valid until the next call.
  Tensor logits(int64_t begin, int64_t end);

 private:
  Exec& exec_;
  const Target& target_;
  std::vector<int64_t> tap_ids_;
  CachedRows rows_;
  Buffer taps_, last_hidden_, logits_;
};

// The draft on the same pages; its slot i has position i. The last row run is where it goes on from.
class CachedDraft {
 public:
  CachedDraft(Exec& exec, const Draft& draft, PagedSequence& sequence, int64_t max_rows);
  CachedDraft(const CachedDraft&) = delete;
  CachedDraft& operator=(const CachedDraft&) = delete;

  // Slots first_slot .. from the taps of the same target rows; tokens: those the slots take (chain.h, tokens_taken).
  // All but the last are there for their keys and values alone: nothing more of them is computed.
  void extend(ConstTensor taps, std::span<const int32_t> tokens, int64_t first_slot);
  // One chain step: `slot` takes `token` and what the row before handed on.
  void step(int32_t token, int64_t slot);

  // Of the last row: the target id of the highest draft logit; its logits [Vd] of that call; what it hands on [1, H].
  int32_t best();
  ConstTensor last_logits() const { return logits_; }  // [1, Vd], valid after best()
  ConstTensor state() const { return state_; }
  int64_t positions() const { return draft_.rope.positions(); }

 private:
  void run(std::span<const int32_t> tokens, int64_t first_slot, ConstTensor h);
  Exec& exec_;
  const Draft& draft_;
  std::span<const PagedCache> layer_;  // the pool's last
  CachedRows rows_;
  Buffer h2_, normed_;  // [1, H]
  Tensor state_;        // one of them
  Buffer logits_;       // [1, Vd]
};

}  // namespace eyrie
