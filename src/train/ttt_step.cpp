#include "train/ttt_step.h"

#include <fmt/core.h>

#include "model/columns.h"
#include "ops/rows.h"

namespace eyrie {
namespace {

// Depth 0 before its attention, for every token up to the last row of its sequence.
struct Prefix {
  ConstTensor taps;  // [P, m·Ht]
  ConstTensor read;  // like taps, what fc read
  Tensor h;          // [P, H]
  Tensor k, v;       // [P, kv_heads, head_dim]
  Tensor raw_k;      // like k, before its norm; undefined: the layer has none
};

// What backward reads again of one depth of the rows; what is cheap it makes anew.
struct Depth {
  Tensor q, o;   // [R, q_heads, head_dim]
  Tensor raw_q;  // like q, before its norm; undefined: the layer has none
  Tensor lse;    // [R, q_heads] f32
  AfterAttentionSaved saved;
  Tensor h2;  // [R, H]
};

class TttPass {
 public:
  TttPass(Exec& exec, const TttModel& model, const TttBatch& batch, const TttRows& rows, WorkClock& clock)
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
        clock_(clock) {}

  void forward() {
    take_shared();
    forward_prefix();
    ConstTensor state;  // what the depth before hands on
    for (int64_t k = 0; k < depths_; ++k) state = forward_depth(k, state);
  }

  // The results [R, K], on exec's device. d_normed takes normed's place.
  SoftCrossEntropyResult loss(const LossRule& rule, HostArrays& arrays, const DraftTensors<Tensor>* gradients,
                              std::vector<double>& scales);
  void backward(const DraftTensors<Tensor>& gradients);

  WorkShares flops;
  AttentionBackend attention = AttentionBackend::automatic;  // of the last depth that ran

 private:
  void take_shared();
  void forward_prefix();
  ConstTensor forward_depth(int64_t k, const ConstTensor& state);
  SuffixAttention attention_of(int64_t k);
  ConstTensor prefix_input(const Tensor& x);
  void backward_depth(int64_t k, const DraftTensors<Tensor>& gradients);
  void backward_prefix(const ConstTensor& d_x, const ConstTensor& d_residual, const DraftTensors<Tensor>& gradients);
  static size_t index(int64_t k) { return static_cast<size_t>(k); }
  Tensor normed(int64_t k) const {  // [R, H] of [R, K, H]
    return columns(flat(normed_), k * layer_.hidden, (k + 1) * layer_.hidden);
  }
  ConstTensor position(int64_t k) const { return index_.position[k]; }
  Tensor own(const Tensor& suffix, int64_t k) const { return k > 0 && suffix.defined() ? suffix[k - 1] : Tensor(); }
  Tensor take(const Shape& shape) { return exec_.take(shape); }
  Tensor take_zeros(const Shape& shape) {
    const Tensor made = scratch_.take(DType::f32, shape);
    zero(exec_, made);
    return made;
  }
  Tensor heads(int64_t rows, int64_t count) { return take({rows, count, layer_.head_dim}); }
  void lap(Work kind) {
    clock_.lap(kind);
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
  WorkClock& clock_;

  Prefix prefix_;
  std::vector<Depth> depth_;
  Tensor suffix_k_, suffix_v_;  // [K-1, R, kv_heads, head_dim]; undefined when K = 1
  Tensor suffix_raw_k_;         // like suffix_k_, before its norm; undefined: the layer has none
  Tensor normed_;               // [R, K, H], from the loss on its gradient

  Tensor d_prefix_k_, d_prefix_v_;  // like prefix.k, f32
  Tensor d_suffix_k_, d_suffix_v_;  // like suffix_k_, f32
  Tensor d_state_;                  // [R, H] gradient of the state that the depth at hand hands on
};

void TttPass::take_shared() {
  depth_.resize(index(depths_));
  const Shape suffix = {depths_ - 1, rows_, layer_.kv_heads, layer_.head_dim};
  if (depths_ > 1) suffix_k_ = take(suffix), suffix_v_ = take(suffix);
  if (depths_ > 1 && layer_.qk_norm) suffix_raw_k_ = take(suffix);
  normed_ = take({rows_, depths_, layer_.hidden});
}

// Writes x [P, 2H]; the residual [P, H].
ConstTensor TttPass::prefix_input(const Tensor& x) {
  return depth_input(exec_, draft_, {index_.prefix_input, prefix_.h, x});
}

void TttPass::forward_prefix() {
  Prefix& p = prefix_;
  p.taps = batch_.taps.slice(0, prefix_rows_);
  if (batch_.supervision.prefix_token.back() != prefix_rows_ - 1) {  // some tokens are left out
    const Tensor taps = take(p.taps.shape);
    gather_rows(exec_, {.from = batch_.taps, .index = index_.prefix_token, .to = taps});
    p.taps = taps;
  }
  lap(Work::other);
  p.h = take({prefix_rows_, layer_.hidden});
  p.read = fc(exec_, draft_, p.taps, p.h);
  lap(Work::fc);
  p.k = heads(prefix_rows_, layer_.kv_heads), p.v = heads(prefix_rows_, layer_.kv_heads);
  if (layer_.qk_norm) p.raw_k = take(p.k.shape);
  // The queries of depth 0 are the rows' alone: forward_depth makes them.
  const ScratchScope scope(scratch_);
  const Tensor x = take({prefix_rows_, layer_.input_width});
  prefix_input(x);
  before_attention(exec_, layer_, draft_.tensors.layer, draft_.rope,
                   {x, index_.prefix_position, {}, p.k, p.v, {}, p.raw_k});
  lap(Work::layer);
}

SuffixAttention TttPass::attention_of(int64_t k) {
  SuffixAttention problem;
  problem.q = depth_[index(k)].q;
  problem.prefix_k = prefix_.k, problem.prefix_v = prefix_.v;
  if (k > 0) {
    problem.suffix_k = suffix_k_.slice(0, k), problem.suffix_v = suffix_v_.slice(0, k);
    problem.suffix_row = index_.suffix_row;
  }
  problem.token = index_.row_prefix, problem.start = index_.row_start;
  problem.scale = layer_.softmax_scale();
  attention = choose_backend(model_.backend, problem);
  return problem;
}

// Returns the state that the next depth receives [R, H].
ConstTensor TttPass::forward_depth(int64_t k, const ConstTensor& state) {
  Depth& depth = depth_[index(k)];
  depth.q = heads(rows_, layer_.q_heads), depth.o = heads(rows_, layer_.q_heads);
  if (layer_.qk_norm) depth.raw_q = take(depth.q.shape);
  depth.lse = scratch_.take(DType::f32, {rows_, layer_.q_heads});
  depth.saved = take_after_attention(exec_, layer_, rows_);
  depth.h2 = take({rows_, layer_.hidden});
  const ScratchScope scope(scratch_);
  const Tensor x = take({rows_, layer_.input_width});
  ConstTensor residual;
  if (k == 0) {
    const Tensor prefix_x = take({prefix_rows_, layer_.input_width}), from_prefix = take({rows_, layer_.hidden});
    gather_rows(exec_, {.from = prefix_input(prefix_x), .index = index_.row_prefix, .to = from_prefix});
    gather_rows(exec_, {.from = prefix_x, .index = index_.row_prefix, .to = x});
    residual = from_prefix;
  } else {
    residual = depth_input(exec_, draft_, {index_.input[k], state, x});
  }
  before_attention(exec_, layer_, draft_.tensors.layer, draft_.rope,
                   {x, position(k), depth.q, own(suffix_k_, k), own(suffix_v_, k), depth.raw_q, own(suffix_raw_k_, k)});
  lap(Work::layer);
  const SuffixAttention problem = attention_of(k);
  suffix_attention(exec_, attention, problem, depth.o, depth.lse);
  lap(Work::attention);
  after_attention(exec_, layer_, draft_.tensors.layer, {residual, flat(depth.o), depth.h2}, depth.saved);
  const Tensor handed_on = depth_output(exec_, draft_, depth.h2, normed(k));
  lap(Work::layer);
  return handed_on;
}

// |C_k| of this micro-batch, from the teacher alone.
std::vector<int64_t> rows_in_vocabulary(Exec& exec, HostArrays& arrays, const SoftCrossEntropy& problem,
                                        const Draft& draft) {
  const ScratchScope scope(exec.scratch);
  const Tensor there = exec.scratch.take(DType::i32, {problem.hidden.dim(0)});
  teacher_argmax(exec, {.hidden = problem.hidden, .target_lm_head = problem.target_lm_head, .argmax = there});
  if (exec.planning) return {};
  const ConstTensor argmax = arrays.read(exec, there);
  exec.wait();
  const int64_t depths = problem.position.dim(1);
  std::vector<int64_t> counts(static_cast<size_t>(depths), 0);
  const std::vector<uint8_t>& t2d = draft.vocabulary.t2d;
  for (int64_t i = 0; i < std::ssize(problem.position_here); ++i) {
    const int32_t j = problem.position_here[static_cast<size_t>(i)];
    if (j < 0) continue;
    const auto best = static_cast<size_t>(argmax.as<int32_t>()[j]);
    counts[static_cast<size_t>(i % depths)] += t2d.empty() || t2d[best];
  }
  return counts;
}

SoftCrossEntropyResult TttPass::loss(const LossRule& rule, HostArrays& arrays, const DraftTensors<Tensor>* gradients,
                                     std::vector<double>& scales) {
  const Shape each = {rows_, depths_};
  const SoftCrossEntropyResult result = {scratch_.take(DType::f32, each), scratch_.take(DType::f32, each),
                                         scratch_.take(DType::u8, each)};
  const ScratchScope scope(scratch_);
  const Tensor hidden = take({index_.teacher_token.dim(0), config_.target_hidden});
  gather_rows(exec_, {.from = batch_.last_hidden, .index = index_.teacher_token, .to = hidden});
  SoftCrossEntropy problem = {.hidden = hidden,
                              .target_lm_head = model_.target_lm_head,
                              .target_ids = index_.target_ids,
                              .normed = normed_,
                              .lm_head = draft_.tensors.lm_head,
                              .position = index_.teacher,
                              .position_here = index_.teacher_here,
                              .result = result};
  std::vector<int64_t> counts(rule.step_rows.begin(), rule.step_rows.end());
  if (rule.normalize == Normalize::micro_batch) counts = rows_in_vocabulary(exec_, arrays, problem, draft_);
  if (counts.empty()) counts = batch_.supervision.rows_at_depth;
  scales = depth_scales(rule.decay, counts);
  const std::vector<float> narrow(scales.begin(), scales.end());
  problem.scale = narrow;
  if (gradients) problem.d_normed = normed_, problem.d_lm_head = gradients->lm_head;
  soft_cross_entropy(exec_, problem);
  lap(Work::loss);
  return result;
}

void TttPass::backward(const DraftTensors<Tensor>& gradients) {
  d_prefix_k_ = take_zeros(prefix_.k.shape), d_prefix_v_ = take_zeros(prefix_.v.shape);
  if (depths_ > 1) d_suffix_k_ = take_zeros(suffix_k_.shape), d_suffix_v_ = take_zeros(suffix_v_.shape);
  d_state_ = take({rows_, layer_.hidden});
  zero(exec_, d_state_);
  for (int64_t k = depths_ - 1; k >= 0; --k) {
    const ScratchScope scope(scratch_);
    backward_depth(k, gradients);
  }
}

void TttPass::backward_depth(int64_t k, const DraftTensors<Tensor>& gradients) {
  const Depth& depth = depth_[index(k)];
  const DraftTensors<ConstTensor>& weights = draft_.tensors;
  const Tensor d_residual = take({rows_, layer_.hidden}), d_x = take({rows_, layer_.input_width});
  ConstTensor state;  // of the depth before
  if (k > 0) {
    const Tensor& h2 = depth_[index(k - 1)].h2;
    state = config_.norm_output ? depth_output(exec_, draft_, h2, take(h2.shape)) : h2;
  }
  {
    const ScratchScope scope(scratch_);
    const Tensor d_q = heads(rows_, layer_.q_heads), d_o = take(d_q.shape);
    const Tensor d_h2 = depth_output_backward(exec_, draft_, {depth.h2, normed(k), d_state_}, gradients);
    after_attention_backward(exec_, layer_, weights.layer, depth.saved, {flat(depth.o), d_h2, d_residual, flat(d_o)},
                             gradients.layer);
    lap(Work::layer);
    SuffixAttentionBackward grad{.o = depth.o,
                                 .lse = depth.lse,
                                 .d_o = d_o,
                                 .d_q = d_q,
                                 .d_prefix_k = d_prefix_k_,
                                 .d_prefix_v = d_prefix_v_,
                                 .deterministic = model_.deterministic};
    if (k > 0) grad.d_suffix_k = d_suffix_k_.slice(0, k), grad.d_suffix_v = d_suffix_v_.slice(0, k);
    const SuffixAttention problem = attention_of(k);
    suffix_attention_backward(exec_, attention, problem, grad);
    lap(Work::attention);
    const Tensor x = take(d_x.shape);
    if (k == 0) {
      const Tensor prefix_x = take({prefix_rows_, layer_.input_width});
      prefix_input(prefix_x);
      gather_rows(exec_, {.from = prefix_x, .index = index_.row_prefix, .to = x});
    } else {
      depth_input(exec_, draft_, {index_.input[k], state, x});
    }
    // A depth's own keys have their whole gradient by now: only it and later ones read them.
    before_attention_backward(exec_, layer_, weights.layer, draft_.rope,
                              {.x = x,
                               .positions = position(k),
                               .d_q = d_q,
                               .d_k = own(d_suffix_k_, k),
                               .d_v = own(d_suffix_v_, k),
                               .d_x = d_x,
                               .raw_q = depth.raw_q,
                               .raw_k = own(suffix_raw_k_, k)},
                              gradients.layer);
  }
  if (k == 0) return backward_prefix(d_x, d_residual, gradients);
  depth_input_backward(exec_, draft_, {index_.input[k], state, d_x, d_residual, d_state_}, gradients);
  lap(Work::layer);
}

void TttPass::backward_prefix(const ConstTensor& d_x_rows, const ConstTensor& d_residual_rows,
                              const DraftTensors<Tensor>& gradients) {
  const Prefix& p = prefix_;
  const Tensor d_h = take(p.h.shape), d_x = take({prefix_rows_, layer_.input_width});
  scatter_rows(exec_, {.from = d_residual_rows, .index = index_.row_prefix, .to = d_h});
  scatter_rows(exec_, {.from = d_x_rows, .index = index_.row_prefix, .to = d_x});
  {
    const ScratchScope scope(scratch_);
    const Tensor x = take(d_x.shape);
    prefix_input(x);
    before_attention_backward(exec_, layer_, draft_.tensors.layer, draft_.rope,
                              {.x = x,
                               .positions = index_.prefix_position,
                               .d_k = d_prefix_k_,
                               .d_v = d_prefix_v_,
                               .d_x = d_x,
                               .raw_k = p.raw_k,
                               .into = Into::accumulate},
                              gradients.layer);
  }
  depth_input_backward(exec_, draft_, {index_.prefix_input, p.h, d_x, d_h, d_h}, gradients);
  lap(Work::layer);
  fc_backward(exec_, draft_, p.taps, p.read, d_h, gradients);
  lap(Work::fc);
}

void check(const Exec& exec, const TttModel& model, const TttBatch& batch, const LossRule& rule) {
  const DraftConfig& config = model.draft.config;
  const auto tokens = static_cast<int64_t>(batch.input_ids.size());
  expect_dtype("taps", batch.taps, {exec.activations});
  expect_shape("taps", batch.taps, {tokens, config.taps() * config.target_hidden});
  expect_dtype("last_hidden", batch.last_hidden, {exec.activations});
  expect_shape("last_hidden", batch.last_hidden, {tokens, config.target_hidden});
  expect_shape("target_lm_head", model.target_lm_head, {config.vocabulary, config.target_hidden});
  const auto counts = static_cast<int64_t>(rule.step_rows.size());
  if (counts != 0 && counts != batch.supervision.depths)
    throw Error(ErrorKind::input, "step_rows",
                fmt::format("expected {} depths, found {}", batch.supervision.depths, counts));
}

}  // namespace

TttRun start_ttt_step(Exec& exec, HostArrays& arrays, const TttModel& model, const TttBatch& batch,
                      const LossRule& rule, const DraftTensors<Tensor>* gradients, WorkClock& clock) {
  check(exec, model, batch, rule);
  TttRun run;
  run.supervision_ = &batch.supervision;
  if (batch.supervision.rows() == 0) return run;
  arrays.clear();
  const TttRows rows = make_ttt_rows(exec, arrays, batch.input_ids, batch.supervision, model.draft.vocabulary.d2t);
  const ScratchScope scope(exec.scratch);
  TttPass pass(exec, model, batch, rows, clock);
  pass.forward();
  const SoftCrossEntropyResult result = pass.loss(rule, arrays, gradients, run.scales_);
  if (gradients) pass.backward(*gradients);
  run.flops_ = pass.flops, run.attention_ = pass.attention;
  if (exec.planning) return run;
  run.found_ = {arrays.read(exec, result.loss), arrays.read(exec, result.accept), arrays.read(exec, result.outcome)};
  return run;
}

TttOutcome TttRun::outcome() const {
  TttOutcome outcome;
  outcome.figures = StepFigures(supervision_->depths);
  outcome.flops = flops_, outcome.attention = attention_;
  if (!found_.loss.defined()) return outcome;
  outcome.figures = read_figures(*supervision_, found_);
  outcome.loss = outcome.figures.loss(scales_);
  return outcome;
}

TttOutcome ttt_step(Exec& exec, HostArrays& arrays, const TttModel& model, const TttBatch& batch, const LossRule& rule,
                    const DraftTensors<Tensor>* gradients) {
  WorkClock clock(exec);
  const TttRun run = start_ttt_step(exec, arrays, model, batch, rule, gradients, clock);
  exec.wait();
  TttOutcome outcome = run.outcome();
  outcome.seconds = clock.take();
  return outcome;
}

}  // namespace eyrie
