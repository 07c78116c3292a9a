#include "train/ttt_step.h"

#include <fmt/core.h>

#include "base/time.h"
#include "model/columns.h"
#include "ops/rows.h"
#include "train/step_attention.h"

namespace eyrie {
namespace {

// Depth 0 before its attention, for every token up to the last row of its sequence.
struct Prefix {
  Tensor taps;           // [P, m·Ht]
  ConstTensor read;      // like taps, what fc read
  Tensor h;              // [P, H]
  Tensor x;              // [P, 2H]
  ConstTensor residual;  // [P, H]
  Tensor k, v;           // [P, kv_heads, head_dim]
  Tensor raw_k;          // like k, before its norm; undefined: the layer has none
};

// One depth of the rows; everything backward reads again.
struct Depth {
  Tensor x;              // [R, 2H]
  ConstTensor residual;  // [R, H]
  Tensor q, o;           // [R, q_heads, head_dim]
  Tensor raw_q;          // like q, before its norm; undefined: the layer has none
  Tensor lse;            // [R, q_heads]
  AfterAttentionSaved saved;
  Tensor h2;     // [R, H]
  Tensor state;  // [R, H] what the next depth receives
};

class TttPass {
 public:
  TttPass(Exec& exec, const TttModel& model, const TttBatch& batch, const TttRows& rows)
      : exec_(exec),
        scratch_(exec.scratch),
        model_(model),
        draft_(model.draft),
        config_(draft_.config),
        layer_(config_.decoder),
        batch_(batch),
        index_(rows),
        rows_(rows.rows),
        prefix_rows_(rows.prefix_rows),
        depths_(rows.depths),
        step_attention_(exec, model.backend, model.attention_device) {}

  void forward() {
    take_shared();
    forward_prefix();
    for (int64_t k = 0; k < depths_; ++k) forward_depth(k);
  }

  TttOutcome loss(const LossRule& rule, const DraftTensors<Tensor>* gradients);
  void backward(const DraftTensors<Tensor>& gradients);

  WorkShares seconds, flops;
  AttentionBackend attention = AttentionBackend::automatic;  // of the last depth that ran

 private:
  void take_shared();
  void forward_prefix();
  void forward_depth(int64_t k);
  void begin_depth(int64_t k, Depth& depth);
  void backward_depth(int64_t k, const DraftTensors<Tensor>& gradients);
  void backward_prefix(const ConstTensor& d_x, const ConstTensor& d_residual, const DraftTensors<Tensor>& gradients);
  SuffixAttention attention_of(int64_t k) const;
  SoftCrossEntropy loss_problem();
  std::vector<int64_t> rows_in_vocabulary(const SoftCrossEntropy& problem);
  static size_t index(int64_t k) { return static_cast<size_t>(k); }
  // [R, H] of depth k out of [R, K, H].
  Tensor at_depth(const Tensor& all, int64_t k) const {
    return columns(all.reshape({rows_, depths_ * layer_.hidden}), k * layer_.hidden, (k + 1) * layer_.hidden);
  }
  Tensor own_raw_k(int64_t k) const { return k > 0 && layer_.qk_norm ? suffix_raw_k_[k - 1] : Tensor(); }
  Tensor take(const Shape& shape) { return scratch_.take(DType::f32, shape); }
  Tensor take_zeros(const Shape& shape) {
    const Tensor made = take(shape);
    zero(exec_, made);
    return made;
  }
  Tensor heads(int64_t rows, int64_t count) { return take({rows, count, layer_.head_dim}); }
  Tensor flat(const Tensor& heads) const { return heads.reshape({heads.dim(0), heads.dim(1) * heads.dim(2)}); }
  void lap(Work kind) {
    seconds[kind] += watch_.lap();
    flops[kind] += std::exchange(exec_.flops, 0);
  }

  Exec& exec_;
  Scratch& scratch_;
  const TttModel& model_;
  const Draft& draft_;
  const DraftConfig& config_;
  const DecoderConfig& layer_;
  const TttBatch& batch_;
  const TttRows& index_;
  const int64_t rows_, prefix_rows_, depths_;
  Stopwatch watch_;
  StepAttention step_attention_;

  Prefix prefix_;
  std::vector<Depth> depth_;
  Tensor suffix_k_, suffix_v_;  // [K-1, R, kv_heads, head_dim]; undefined when K = 1
  Tensor suffix_raw_k_;         // like suffix_k_, before its norm; undefined: the layer has none
  Tensor normed_;               // [R, K, H]

  Tensor d_normed_;                 // [R, K, H]; normed's memory where the loss alone reads normed
  Tensor d_prefix_k_, d_prefix_v_;  // like prefix.k
  Tensor d_suffix_k_, d_suffix_v_;  // like suffix_k_
  Tensor d_state_;                  // [R, H] gradient of the state that the depth at hand hands on
};

void TttPass::take_shared() {
  depth_.resize(index(depths_));
  const Shape suffix = {depths_ - 1, rows_, layer_.kv_heads, layer_.head_dim};
  if (depths_ > 1) suffix_k_ = take(suffix), suffix_v_ = take(suffix);
  if (depths_ > 1 && layer_.qk_norm) suffix_raw_k_ = take(suffix);
  normed_ = take({rows_, depths_, layer_.hidden});
}

void TttPass::forward_prefix() {
  Prefix& p = prefix_;
  p.taps = take({prefix_rows_, batch_.taps.dim(1)});
  gather_rows(exec_, {.from = batch_.taps, .index = index_.prefix_token, .to = p.taps});
  lap(Work::other);
  p.h = take({prefix_rows_, layer_.hidden});
  p.read = fc(exec_, draft_, p.taps, p.h);
  lap(Work::fc);
  p.x = take({prefix_rows_, layer_.input_width});
  p.residual = depth_input(exec_, draft_, {index_.prefix_input, p.h, p.x});
  p.k = heads(prefix_rows_, layer_.kv_heads), p.v = heads(prefix_rows_, layer_.kv_heads);
  if (layer_.qk_norm) p.raw_k = take(p.k.shape);
  before_attention(exec_, layer_, draft_.tensors.layer, draft_.rope,
                   {p.x, index_.prefix_position, {}, p.k, p.v, {}, p.raw_k});
  lap(Work::layer);
}

// Input, queries and this depth's own keys.
void TttPass::begin_depth(int64_t k, Depth& depth) {
  depth.x = take({rows_, layer_.input_width});
  depth.q = heads(rows_, layer_.q_heads);
  if (layer_.qk_norm) depth.raw_q = take(depth.q.shape);
  Tensor own_k, own_v;
  if (k == 0) {
    const Tensor residual = take({rows_, layer_.hidden});
    gather_rows(exec_, {.from = prefix_.x, .index = index_.row_prefix, .to = depth.x});
    gather_rows(exec_, {.from = prefix_.residual, .index = index_.row_prefix, .to = residual});
    depth.residual = residual;
  } else {
    depth.residual = depth_input(exec_, draft_, {index_.input[k], depth_[index(k - 1)].state, depth.x});
    own_k = suffix_k_[k - 1], own_v = suffix_v_[k - 1];
  }
  before_attention(exec_, layer_, draft_.tensors.layer, draft_.rope,
                   {depth.x, index_.position[k], depth.q, own_k, own_v, depth.raw_q, own_raw_k(k)});
}

SuffixAttention TttPass::attention_of(int64_t k) const {
  SuffixAttention problem;
  problem.q = depth_[index(k)].q;
  problem.prefix_k = prefix_.k, problem.prefix_v = prefix_.v;
  if (k > 0) {
    problem.suffix_k = suffix_k_.slice(0, k), problem.suffix_v = suffix_v_.slice(0, k);
    problem.suffix_row = index_.suffix_row;
  }
  problem.token = index_.row_prefix, problem.start = index_.row_start;
  problem.scale = layer_.softmax_scale();
  return problem;
}

void TttPass::forward_depth(int64_t k) {
  Depth& depth = depth_[index(k)];
  begin_depth(k, depth);
  depth.o = heads(rows_, layer_.q_heads);
  depth.lse = take({rows_, layer_.q_heads});
  lap(Work::layer);
  attention = step_attention_.forward(attention_of(k), depth.o, depth.lse);
  lap(Work::attention);
  depth.saved = take_after_attention(scratch_, layer_, rows_);
  depth.h2 = take({rows_, layer_.hidden});
  after_attention(exec_, layer_, draft_.tensors.layer, {depth.residual, flat(depth.o), depth.h2}, depth.saved);
  depth.state = depth_output(exec_, draft_, depth.h2, at_depth(normed_, k));
  lap(Work::layer);
}

SoftCrossEntropy TttPass::loss_problem() {
  const Shape each = {rows_, depths_};
  const Tensor hidden = take({rows_, batch_.last_hidden.dim(1)});
  gather_rows(exec_, {.from = batch_.last_hidden, .index = index_.teacher_token, .to = hidden});
  return {.hidden = hidden,
          .target_lm_head = model_.target_lm_head,
          .target_ids = index_.target_ids,
          .normed = normed_,
          .lm_head = draft_.tensors.lm_head,
          .position = index_.teacher,
          .position_here = index_.teacher_here,
          .result = {take(each), take(each), scratch_.take(DType::u8, each)}};
}

// |C_k| of this micro-batch, from the teacher alone.
std::vector<int64_t> TttPass::rows_in_vocabulary(const SoftCrossEntropy& problem) {
  const ScratchScope scope(scratch_);
  const Tensor argmax = scratch_.take(DType::i32, {problem.hidden.dim(0)});
  teacher_argmax(exec_, {.hidden = problem.hidden, .target_lm_head = problem.target_lm_head, .argmax = argmax});
  if (exec_.planning) return {};
  std::vector<int64_t> counts(index(depths_), 0);
  const std::vector<uint8_t>& t2d = draft_.vocabulary.t2d;
  for (size_t i = 0; i < problem.position_here.size(); ++i) {
    const int32_t j = problem.position_here[i];
    if (j >= 0) counts[i % counts.size()] += t2d.empty() || t2d[static_cast<size_t>(argmax.as<int32_t>()[j])];
  }
  return counts;
}

TttOutcome TttPass::loss(const LossRule& rule, const DraftTensors<Tensor>* gradients) {
  if (gradients) d_normed_ = config_.norm_output ? take(normed_.shape) : normed_;
  const ScratchScope scope(scratch_);
  SoftCrossEntropy problem = loss_problem();
  std::vector<int64_t> counts(rule.step_rows.begin(), rule.step_rows.end());
  if (rule.normalize == Normalize::micro_batch) counts = rows_in_vocabulary(problem);
  if (counts.empty()) counts = batch_.supervision.rows_at_depth;
  const std::vector<double> scales = depth_scales(rule.decay, counts);
  const std::vector<float> narrow(scales.begin(), scales.end());
  problem.scale = narrow;
  if (gradients) problem.d_normed = d_normed_, problem.d_lm_head = gradients->lm_head;
  soft_cross_entropy(exec_, problem);
  TttOutcome outcome;
  if (!exec_.planning) {
    outcome.figures = read_figures(batch_.supervision, problem.result);
    outcome.loss = outcome.figures.loss(scales);
  }
  lap(Work::loss);
  return outcome;
}

void TttPass::backward(const DraftTensors<Tensor>& gradients) {
  d_prefix_k_ = take_zeros(prefix_.k.shape), d_prefix_v_ = take_zeros(prefix_.v.shape);
  if (depths_ > 1) d_suffix_k_ = take_zeros(suffix_k_.shape), d_suffix_v_ = take_zeros(suffix_v_.shape);
  d_state_ = take_zeros({rows_, layer_.hidden});
  for (int64_t k = depths_ - 1; k >= 0; --k) {
    const ScratchScope scope(scratch_);
    backward_depth(k, gradients);
  }
}

void TttPass::backward_depth(int64_t k, const DraftTensors<Tensor>& gradients) {
  const Depth& depth = depth_[index(k)];
  const DraftTensors<ConstTensor>& weights = draft_.tensors;
  const Tensor d_h2 = depth_output_backward(exec_, draft_, {depth.h2, at_depth(d_normed_, k), d_state_}, gradients);
  const Tensor d_residual = take({rows_, layer_.hidden}), d_q = heads(rows_, layer_.q_heads), d_o = take(d_q.shape);
  after_attention_backward(exec_, layer_, weights.layer, depth.saved, {flat(depth.o), d_h2, d_residual, flat(d_o)},
                           gradients.layer);
  lap(Work::layer);
  SuffixAttentionBackward grad{depth.o, depth.lse, d_o, d_q, d_prefix_k_, d_prefix_v_, {}, {}};
  if (k > 0) grad.d_suffix_k = d_suffix_k_.slice(0, k), grad.d_suffix_v = d_suffix_v_.slice(0, k);
  step_attention_.backward(attention_of(k), grad);
  lap(Work::attention);
  Tensor own_d_k, own_d_v;  // whole by now: only this depth and later ones read them
  if (k > 0) own_d_k = d_suffix_k_[k - 1], own_d_v = d_suffix_v_[k - 1];
  const Tensor d_x = take_zeros(depth.x.shape);
  before_attention_backward(exec_, layer_, weights.layer, draft_.rope,
                            {depth.x, index_.position[k], d_q, own_d_k, own_d_v, d_x, depth.raw_q, own_raw_k(k)},
                            gradients.layer);
  if (k == 0) return backward_prefix(d_x, d_residual, gradients);
  depth_input_backward(exec_, draft_, {index_.input[k], depth_[index(k - 1)].state, d_x, d_residual, d_state_},
                       gradients);
  lap(Work::layer);
}

void TttPass::backward_prefix(const ConstTensor& d_x_rows, const ConstTensor& d_residual_rows,
                              const DraftTensors<Tensor>& gradients) {
  const Prefix& p = prefix_;
  const Tensor d_x = take(p.x.shape), d_residual = take(p.h.shape), d_h = take(p.h.shape);
  scatter_rows(exec_, {.from = d_x_rows, .index = index_.row_prefix, .to = d_x});
  scatter_rows(exec_, {.from = d_residual_rows, .index = index_.row_prefix, .to = d_residual});
  before_attention_backward(exec_, layer_, draft_.tensors.layer, draft_.rope,
                            {p.x, index_.prefix_position, {}, d_prefix_k_, d_prefix_v_, d_x, {}, p.raw_k},
                            gradients.layer);
  depth_input_backward(exec_, draft_, {index_.prefix_input, p.h, d_x, d_residual, d_h}, gradients);
  lap(Work::layer);
  fc_backward(exec_, draft_, p.taps, p.read, d_h, gradients);
  lap(Work::fc);
}

void check(const TttModel& model, const TttBatch& batch, const LossRule& rule) {
  const DraftConfig& config = model.draft.config;
  const auto tokens = static_cast<int64_t>(batch.input_ids.size());
  expect_dtype("taps", batch.taps, {DType::f32});
  expect_shape("taps", batch.taps, {tokens, config.taps() * config.target_hidden});
  expect_dtype("last_hidden", batch.last_hidden, {DType::f32});
  expect_shape("last_hidden", batch.last_hidden, {tokens, config.target_hidden});
  expect_shape("target_lm_head", model.target_lm_head, {config.vocabulary, config.target_hidden});
  const auto counts = static_cast<int64_t>(rule.step_rows.size());
  if (counts != 0 && counts != batch.supervision.depths)
    throw Error(ErrorKind::input, "step_rows",
                fmt::format("expected {} depths, found {}", batch.supervision.depths, counts));
}

}  // namespace

TttOutcome ttt_step(Exec& exec, HostArrays& arrays, const TttModel& model, const TttBatch& batch, const LossRule& rule,
                    const DraftTensors<Tensor>* gradients) {
  check(model, batch, rule);
  TttOutcome outcome;
  outcome.figures = StepFigures(batch.supervision.depths);
  if (batch.supervision.rows() == 0) return outcome;
  arrays.clear();
  const TttRows rows = make_ttt_rows(exec, arrays, batch.input_ids, batch.supervision, model.draft.vocabulary.d2t);
  const ScratchScope scope(exec.scratch);
  TttPass pass(exec, model, batch, rows);
  pass.forward();
  outcome = pass.loss(rule, gradients);
  if (gradients) pass.backward(*gradients);
  outcome.seconds = pass.seconds, outcome.flops = pass.flops, outcome.attention = pass.attention;
  return outcome;
}

}  // namespace eyrie
