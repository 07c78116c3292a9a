#include "speculative/cached_models.h"

#include <algorithm>
#include <cmath>

#include "attention/paged_attention.h"
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

void CachedRows::keep(Exec& exec, int64_t cache_layer, ConstTensor k, ConstTensor v) {
  append(exec, sequence_.pool().layer(cache_layer), k, v, rows_of(slots_));
}

void CachedRows::attend(Exec& exec, int64_t cache_layer, float scale, ConstTensor q, ConstTensor k, ConstTensor v,
                        Tensor out) {
  keep(exec, cache_layer, k, v);
  paged_attention(exec,
                  PagedAttention{.q = q,
                                 .cache = sequence_.pool().layer(cache_layer),
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
  const float scale = target.config.decoder.softmax_scale();
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
      cache_layer_(sequence.pool().layers() - 1),
      rows_(sequence, max_rows),
      h_(DType::f32, {max_rows, draft.config.decoder.hidden}),
      next_h_(DType::f32, {1, draft.config.decoder.hidden}),
      normed_(DType::f32, {1, draft.config.decoder.hidden}),
      logits_(DType::f32, {1, draft.config.draft_vocabulary}) {
  const float scale = draft.config.decoder.softmax_scale();
  attend_ = [this, scale](int64_t, ConstTensor q, ConstTensor k, ConstTensor v, Tensor out) {
    rows_.attend(exec_, cache_layer_, scale, q, k, v, out);
  };
}

void CachedDraft::run(int32_t token, int64_t slot, ConstTensor h) {
  rows_.set({&token, 1}, slot);
  forward(
      exec_, draft_,
      DraftRows{
          .token_ids = rows_.token_ids(), .positions = rows_.positions(), .h = h, .next_h = next_h_, .normed = normed_},
      attend_);
}

void CachedDraft::extend_keys(std::span<const int32_t> tokens, int64_t first_slot, ConstTensor h) {
  rows_.set(tokens, first_slot);
  const DecoderConfig& layer = draft_.config.decoder;
  const ScratchScope scope(exec_.scratch);
  const auto take = [&](const Shape& shape) { return exec_.scratch.take(DType::f32, shape); };
  const Tensor x = take({rows_.count(), layer.input_width});
  const Tensor residual = draft_.config.norm_before_residual ? take(h.shape) : Tensor();
  const Tensor k = take({rows_.count(), layer.kv_heads, layer.head_dim}), v = take(k.shape);
  depth_input(exec_, draft_.config, draft_.tensors, {rows_.token_ids(), draft_.embedding, h, x, residual});
  before_attention(exec_, layer, draft_.tensors.layer, draft_.rope, {x, rows_.positions(), {}, k, v});
  rows_.keep(exec_, cache_layer_, k, v);
}

void CachedDraft::extend(ConstTensor taps, std::span<const int32_t> tokens, int64_t first_slot) {
  const auto last = static_cast<int64_t>(tokens.size()) - 1;
  const Tensor h = h_.tensor().slice(0, last + 1);
  {
    const ScratchScope scope(exec_.scratch);
    fc(exec_, draft_.config, draft_.tensors, taps, take_fc(exec_.scratch, draft_.config, last + 1), h);
  }
  if (last > 0) extend_keys(tokens.first(static_cast<size_t>(last)), first_slot, h.slice(0, last));
  run(tokens.back(), first_slot + last, h.slice(last, last + 1));
}

void CachedDraft::step(int32_t token, int64_t slot) { run(token, slot, next_h_); }

int32_t CachedDraft::best() {
  draft_logits(exec_, draft_, normed_, logits_);
  const auto size = static_cast<size_t>(draft_.config.draft_vocabulary);
  const int64_t best = at_place(draft_.directory, [&] { return argmax({logits_.tensor().as<float>(), size}); });
  return static_cast<int32_t>(draft_.vocabulary.target_id(best));
}

}  // namespace eyrie
