#include "speculative/cached_models.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "speculative/sampler.h"

namespace eyrie {

std::vector<CacheLayer> cache_layers(const TargetConfig& target, const DraftConfig* draft) {
  std::vector<CacheLayer> layers(static_cast<size_t>(target.layers),
                                 {target.decoder.kv_heads, target.decoder.head_dim});
  if (draft) layers.push_back({draft->decoder.kv_heads, draft->decoder.head_dim});
  return layers;
}

CachedRows::CachedRows(PagedSequence& sequence, int64_t max_rows)
    : sequence_(sequence),
      token_ids_(DType::i32, {max_rows}),
      positions_(DType::i32, {max_rows}),
      slots_(DType::i32, {max_rows}),
      row_sequence_(Buffer::zeros(DType::i32, {max_rows})) {}

void CachedRows::set(std::span<const int32_t> tokens, int64_t first_position) {
  rows_ = static_cast<int64_t>(tokens.size());
  std::copy(tokens.begin(), tokens.end(), token_ids_.tensor().as<int32_t>());
  auto* positions = positions_.tensor().as<int32_t>();
  auto* slots = slots_.tensor().as<int32_t>();
  for (int64_t row = 0; row < rows_; ++row) {
    positions[row] = static_cast<int32_t>(first_position + row);
    slots[row] = sequence_.slot(first_position + row);
  }
}

PagedRows CachedRows::attention(std::span<const PagedCache> layers, int64_t asking) const {
  const auto last = [&](const ConstTensor& rows) { return rows.slice(rows_ - asking, rows_); };
  return {layers, sequence_.page_table(), last(rows_of(row_sequence_)), last(positions()), rows_of(slots_)};
}

CachedTarget::CachedTarget(Exec& exec, const Target& target, PagedSequence& sequence, std::span<const int64_t> tap_ids,
                           int64_t max_rows, int64_t logit_rows)
    : exec_(exec),
      target_(target),
      tap_ids_(tap_ids.begin(), tap_ids.end()),
      rows_(sequence, max_rows),
      last_hidden_(DType::f32, {max_rows, target.config.decoder.hidden}),
      logits_(DType::f32, {logit_rows, target.config.vocabulary}) {
  const auto taps_width = static_cast<int64_t>(tap_ids_.size()) * target.config.decoder.hidden;
  if (!tap_ids_.empty()) taps_ = Buffer(DType::f32, {max_rows, taps_width});
}

void CachedTarget::run(std::span<const int32_t> tokens, int64_t first_position) {
  rows_.set(tokens, first_position);
  target_forward(exec_, target_, rows_.attention(rows_.pool().layers(), rows_.count()),
                 {.token_ids = rows_.token_ids(),
                  .positions = rows_.positions(),
                  .tap_ids = tap_ids_,
                  .taps = tap_ids_.empty() ? Tensor() : taps_.tensor().slice(0, rows_.count()),
                  .last_hidden = last_hidden_.tensor().slice(0, rows_.count())});
}

Tensor CachedTarget::logits(int64_t begin, int64_t end) {
  const Tensor out = logits_.tensor().slice(0, end - begin);
  target_logits(exec_, target_, last_hidden_.tensor().slice(begin, end), out);
  return out;
}

CachedDraft::CachedDraft(Exec& exec, const Draft& draft, PagedSequence& sequence, int64_t max_rows)
    : exec_(exec),
      draft_(draft),
      layer_(sequence.pool().layers().last(1)),
      rows_(sequence, max_rows),
      h2_(DType::f32, {1, draft.config.decoder.hidden}),
      normed_(DType::f32, {1, draft.config.decoder.hidden}),
      logits_(DType::f32, {1, draft.config.draft_vocabulary}) {}

void CachedDraft::run(std::span<const int32_t> tokens, int64_t first_slot, ConstTensor h) {
  rows_.set(tokens, first_slot);
  state_ =
      draft_depth(exec_, draft_, rows_.attention(layer_, 1), {rows_.token_ids(), rows_.positions(), h, h2_, normed_});
}

void CachedDraft::extend(ConstTensor taps, std::span<const int32_t> tokens, int64_t first_slot) {
  const ScratchScope scope(exec_.scratch);
  const Tensor h = exec_.scratch.take(DType::f32, {static_cast<int64_t>(tokens.size()), draft_.config.decoder.hidden});
  fc(exec_, draft_, taps, h);
  run(tokens, first_slot, h);
}

void CachedDraft::step(int32_t token, int64_t slot) { run({&token, 1}, slot, state_); }

int32_t CachedDraft::best() {
  draft_logits(exec_, draft_, normed_, logits_);
  const auto size = static_cast<size_t>(draft_.config.draft_vocabulary);
  const int64_t best = at_place(draft_.directory, [&] { return argmax({logits_.tensor().as<float>(), size}); });
  return static_cast<int32_t>(draft_.vocabulary.target_id(best));
}

}  // namespace eyrie
