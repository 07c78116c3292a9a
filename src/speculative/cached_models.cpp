#include "speculative/cached_models.h"

#include <algorithm>
#include <cmath>

#include "attention/paged_attention.h"
#include "speculative/sampler.h"

namespace eyrie {
namespace {

float attention_scale(const DecoderConfig& config) { return 1 / std::sqrt(static_cast<float>(config.head_dim)); }

}  // namespace

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

void CachedRows::attend(Exec& exec, int64_t cache_layer, float scale, ConstTensor q, ConstTensor k, ConstTensor v,
                        Tensor out) {
  const PagedCache& cache = sequence_.pool().layer(cache_layer);
  append(exec, cache, k, v, rows_of(slots_));
  forward(exec,
          PagedAttention{.q = q,
                         .cache = cache,
                         .page_table = sequence_.page_table(),
                         .row_sequence = rows_of(row_sequence_),
                         .row_position = positions(),
                         .scale = scale},
          out);
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
  const float scale = attention_scale(target.config.decoder);
  attend_ = [this, scale](int64_t layer, ConstTensor q, ConstTensor k, ConstTensor v, Tensor out) {
    rows_.attend(exec_, layer, scale, q, k, v, out);
  };
}

void CachedTarget::run(std::span<const int32_t> tokens, int64_t first_position) {
  rows_.set(tokens, first_position);
  forward(exec_, target_,
          TargetRows{.token_ids = rows_.token_ids(),
                     .positions = rows_.positions(),
                     .tap_ids = tap_ids_,
                     .taps = tap_ids_.empty() ? Tensor() : taps_.tensor().slice(0, rows_.count()),
                     .last_hidden = last_hidden_.tensor().slice(0, rows_.count())},
          attend_);
}

Tensor CachedTarget::logits(int64_t begin, int64_t end) {
  const Tensor out = logits_.tensor().slice(0, end - begin);
  target_logits(exec_, target_, last_hidden_.tensor().slice(begin, end), out);
  return out;
}

CachedDraft::CachedDraft(Exec& exec, const Draft& draft, PagedSequence& sequence, int64_t max_rows)
    : exec_(exec),
      draft_(draft),
      rows_(sequence, max_rows),
      h_(DType::f32, {max_rows, draft.config.decoder.hidden}),
      next_h_(DType::f32, {max_rows, draft.config.decoder.hidden}),
      normed_(DType::f32, {max_rows, draft.config.decoder.hidden}),
      carried_(DType::f32, {1, draft.config.decoder.hidden}),
      logits_(DType::f32, {1, draft.config.draft_vocabulary}) {
  const float scale = attention_scale(draft.config.decoder);
  const int64_t cache_layer = sequence.pool().layers() - 1;
  attend_ = [this, scale, cache_layer](int64_t, ConstTensor q, ConstTensor k, ConstTensor v, Tensor out) {
    rows_.attend(exec_, cache_layer, scale, q, k, v, out);
  };
}

void CachedDraft::run(ConstTensor h) {
  forward(exec_, draft_,
          DraftRows{.token_ids = rows_.token_ids(),
                    .positions = rows_.positions(),
                    .h = h,
                    .next_h = next_h_.tensor().slice(0, rows_.count()),
                    .normed = normed_.tensor().slice(0, rows_.count())},
          attend_);
}

void CachedDraft::extend(ConstTensor taps, std::span<const int32_t> tokens, int64_t first_slot) {
  rows_.set(tokens, first_slot);
  const Tensor h = h_.tensor().slice(0, rows_.count());
  {
    const ScratchScope scope(exec_.scratch);
    fc(exec_, draft_.config, draft_.tensors, taps, take_fc(exec_.scratch, draft_.config, rows_.count()), h);
  }
  run(h);
}

void CachedDraft::step(int32_t token, int64_t slot) {
  copy(next_h(), carried_);
  rows_.set({&token, 1}, slot);
  run(carried_);
}

int32_t CachedDraft::best() {
  draft_logits(exec_, draft_, normed_.tensor().slice(rows_.count() - 1, rows_.count()), logits_);
  const auto size = static_cast<size_t>(draft_.config.draft_vocabulary);
  return static_cast<int32_t>(draft_.vocabulary.target_id(argmax({logits_.tensor().as<float>(), size})));
}

}  // namespace eyrie
