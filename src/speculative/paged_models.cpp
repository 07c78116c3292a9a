#include "speculative/paged_models.h"

#include <fmt/core.h>

#include "base/error.h"
#include "ops/rows.h"
#include "speculative/sampler.h"

namespace eyrie {
namespace {

void expect_room(const StepRows& rows, const StepLimits& limits) {
  if (rows.rows <= limits.rows && rows.logits <= limits.logits) return;
  throw Error(ErrorKind::internal, "step",
              fmt::format("has {} rows and asks for the logits of {}, there is room for {} and {}", rows.rows,
                          rows.logits, limits.rows, limits.logits));
}

// from[index[i]] for `count` rows, in exec's scratch; its first rows as they lie when there is no index.
ConstTensor rows_at(Exec& exec, const ConstTensor& from, const ConstTensor& index, int64_t count) {
  if (!index.defined()) return from.slice(0, count);
  const Tensor rows = exec.scratch.take(DType::f32, {count, from.dim(1)});
  gather_rows(exec, {from, index, rows});
  return rows;
}

}  // namespace

std::vector<CacheLayer> cache_layers(const TargetConfig& target, const DraftConfig* draft) {
  std::vector<CacheLayer> layers(static_cast<size_t>(target.layers),
                                 {target.decoder.kv_heads, target.decoder.head_dim});
  if (draft) layers.push_back({draft->decoder.kv_heads, draft->decoder.head_dim});
  return layers;
}

PagedTarget::PagedTarget(const Target& target, const DraftConfig* draft, const StepLimits& limits)
    : target_(target),
      limits_(limits),
      last_hidden_(DType::f32, {limits.rows, target.config.decoder.hidden}),
      logits_(DType::f32, {limits.logits, target.config.vocabulary}) {
  if (!draft) return;
  tap_ids_ = draft->tap_ids;
  taps_ = Buffer(DType::f32, {limits.rows, draft->taps() * draft->target_hidden});
}

void PagedTarget::run(Exec& exec, const StepRows& rows) {
  expect_room(rows, limits_);
  rows_ = rows.rows, logit_rows_ = rows.logits;
  const auto layers = rows.layers.first(static_cast<size_t>(target_.config.layers));
  target_forward(exec, target_, PagedRows{layers, rows.page_table, rows.sequence, rows.position, rows.slot},
                 {.token_ids = rows.token,
                  .positions = rows.position,
                  .tap_ids = tap_ids_,
                  .taps = tap_ids_.empty() ? Tensor() : taps_.tensor().slice(0, rows_),
                  .last_hidden = last_hidden_.tensor().slice(0, rows_)});
  if (logit_rows_ == 0) return;
  const ScratchScope scope(exec.scratch);
  target_logits(exec, target_, rows_at(exec, last_hidden_, rows.logit_row, logit_rows_), logits());
}

PagedDraft::PagedDraft(const Draft& draft, const StepLimits& limits)
    : draft_(draft),
      limits_(limits),
      h2_(DType::f32, {limits.logits, draft.config.decoder.hidden}),
      normed_(DType::f32, {limits.logits, draft.config.decoder.hidden}),
      logits_(DType::f32, {limits.logits, draft.config.draft_vocabulary}) {
  best_.reserve(static_cast<size_t>(limits.logits));
}

void PagedDraft::extend(Exec& exec, const StepRows& rows, ConstTensor taps) {
  const ScratchScope scope(exec.scratch);
  const Tensor h = exec.scratch.take(DType::f32, {rows.rows, draft_.config.decoder.hidden});
  fc(exec, draft_, rows_at(exec, taps, rows.source_row, rows.rows), h);
  run(exec, rows, h);
}

void PagedDraft::step(Exec& exec, const StepRows& rows) {
  const ScratchScope scope(exec.scratch);
  run(exec, rows, rows_at(exec, state_, rows.source_row, rows.rows));
}

void PagedDraft::run(Exec& exec, const StepRows& rows, ConstTensor h) {
  expect_room(rows, limits_);
  best_.resize(static_cast<size_t>(rows.logits));
  const auto last = [&](const ConstTensor& index) { return index.slice(rows.rows - rows.logits, rows.rows); };
  const Tensor h2 = h2_.tensor().slice(0, rows.logits), normed = normed_.tensor().slice(0, rows.logits);
  state_ =
      draft_depth(exec, draft_,
                  PagedRows{rows.layers.last(1), rows.page_table, last(rows.sequence), last(rows.position), rows.slot},
                  {rows.token, rows.position, h, h2, normed});
  draft_logits(exec, draft_, normed, logits_.tensor().slice(0, rows.logits));
  for (size_t row = 0; row < best_.size(); ++row) {
    const ConstTensor logits = logits_.tensor()[static_cast<int64_t>(row)];
    const int64_t best = at_place(draft_.directory, [&] {
      return argmax({logits.as<float>(), static_cast<size_t>(logits.dim(0))});
    });
    best_[row] = static_cast<int32_t>(draft_.vocabulary.target_id(best));
  }
}

}  // namespace eyrie
