#include "app/bench/decoding.h"

#include <fmt/core.h>

#include "ops/linear.h"
#include "speculative/sampler.h"

namespace eyrie {
namespace {

constexpr int64_t kPromptTokens = 128, kMostRows = 512, kMostLogits = 16, kPageSize = 16;
constexpr int64_t kPositions = kPromptTokens + kMostRows + kMostLogits;

// visit(weight) for each linear layer in the order of a forward, the head last.
template <typename Visit>
void for_each_linear_layer(const Target& target, Visit&& visit) {
  for (const DecoderTensors<ConstTensor>& layer : target.tensors.layers)
    for (const auto* linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
      visit(linear->weight);
  visit(target.tensors.lm_head);
}

}  // namespace

double weight_bytes_per_row(const Target& target) {
  int64_t bytes = 0;
  for_each_linear_layer(target, [&](const ConstTensor& weight) { bytes += weight.bytes(); });
  return static_cast<double>(bytes);
}

DecodingBench::DecodingBench(const Target& target, const Draft* draft)
    : target_(target),
      pool_(cache_layers(target.config, draft ? &draft->config : nullptr), kPageSize, kPositions / kPageSize),
      sequence_(pool_),
      paged_target_(target, draft ? &draft->config : nullptr, {.rows = kMostRows, .logits = kMostLogits}) {
  sequence_.reserve(kPositions);
  for (int64_t i = 0; i < kMostRows; ++i) tokens_.push_back(static_cast<int32_t>(i * 97 % target.config.vocabulary));
  paged_target_.run(exec_, step_of(0, kPromptTokens, 0));
  if (!draft) return;
  paged_draft_.emplace(*draft, StepLimits{.rows = kMostRows, .logits = 1});
  paged_draft_->extend(exec_, step_of(0, kPromptTokens, 1), paged_target_.taps());
}

StepRows DecodingBench::step_of(int64_t first_position, int64_t rows, int64_t logits) {
  const SequenceRows run{.pages = &sequence_,
                         .tokens = std::span(tokens_).first(static_cast<size_t>(rows)),
                         .first_position = first_position,
                         .logits = logits};
  return make_step_rows(exec_, arrays_, {&run, 1});
}

void DecodingBench::verify(int64_t rows) {
  paged_target_.run(exec_, step_of(kPromptTokens, rows, rows));
  const Tensor logits = paged_target_.logits();
  for (int64_t row = 0; row < rows; ++row)
    chosen_ = argmax({logits[row].as<float>(), static_cast<size_t>(logits.dim(1))});
}

void DecodingBench::extend(int64_t rows) {
  paged_draft_->extend(exec_, step_of(kPromptTokens, rows, 1), paged_target_.taps());
}

void DecodingBench::step() { paged_draft_->step(exec_, step_of(kPromptTokens, 1, 1)); }

void DecodingBench::prefill(int64_t rows) { paged_target_.run(exec_, step_of(kPromptTokens, rows, 1)); }

// On zeros, in the groups and the order of a forward.
void DecodingBench::linear_layers(int64_t rows, int64_t logit_rows) {
  const DecoderConfig& config = target_.config.decoder;
  const ScratchScope scope(exec_.scratch);
  const auto take = [&](int64_t width) { return exec_.scratch.take(DType::f32, {rows, width}); };
  const Tensor x = take(config.hidden), q = take(config.q_heads * config.head_dim), gate = take(config.intermediate);
  const Tensor k = take(config.kv_heads * config.head_dim), v = take(config.kv_heads * config.head_dim);
  const Tensor h = take(config.hidden), up = take(config.intermediate), product = take(config.intermediate);
  const Tensor logits = exec_.scratch.take(DType::f32, {logit_rows, target_.config.vocabulary});
  zero(exec_, x);
  for (const DecoderTensors<ConstTensor>& layer : target_.tensors.layers) {
    const Linear projections[] = {{.x = x, .weight = layer.q.weight, .y = q},
                                  {.x = x, .weight = layer.k.weight, .y = k},
                                  {.x = x, .weight = layer.v.weight, .y = v}};
    linear(exec_, projections);
    linear(exec_, {.x = q, .weight = layer.o.weight, .added = x, .y = h});
    linear_gated(exec_, {.gate = {.x = h, .weight = layer.gate.weight, .y = gate},
                         .up = {.x = h, .weight = layer.up.weight, .y = up},
                         .product = product});
    linear(exec_, {.x = product, .weight = layer.down.weight, .added = h, .y = x});
  }
  linear(exec_, {.x = x.slice(rows - logit_rows, rows), .weight = target_.tensors.lm_head, .y = logits});
}

void print_many_rows(DecodingBench& bench, const char* name, int64_t rows, const std::function<void()>& call) {
  int64_t elements = 0;
  for_each_linear_layer(bench.target(), [&](const ConstTensor& weight) { elements += weight.elements(); });
  elements = rows * elements - (rows - 1) * bench.target().tensors.lm_head.elements();
  const testing::Workload work{.flops = 2 * static_cast<double>(elements), .call = [&](Exec&) { call(); }};
  testing::print_measurement(fmt::format("{}, {} rows", name, rows), testing::measure(bench.exec(), work));
}

}  // namespace eyrie
