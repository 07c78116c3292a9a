#include <fmt/core.h>

#include "app/bench/parts.h"
#include "base/time.h"
#include "testing/harness.h"
#include "train/inputs.h"
#include "train/step_cost.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

constexpr int64_t kDraftVocabulary = 1024;

// One optimizer step on the first batch of a model's own conversations, as the trainer takes it.
class StepBench {
 public:
  explicit StepBench(const std::string& model)
      : inputs_(load(model)),
        tokens_(inputs_->train->tokens(0, 0)),
        supervision_(supervise(tokens_.loss_mask, tokens_.cu_seqlens, TrainOptions().ttt_steps)),
        optimizer_(inputs_->draft.config, {}),
        gradients_(make_draft_tensors(inputs_->draft.config)) {}

  void step(Exec& exec) {
    Stopwatch watch;
    const DraftConfig& config = inputs_->draft.config;
    const ScratchScope scope(exec.scratch);
    const Tensor taps = exec.scratch.take(DType::f32, {tokens_.tokens(), config.taps() * config.target_hidden});
    const Tensor last_hidden = exec.scratch.take(DType::f32, {tokens_.tokens(), config.target_hidden});
    inputs_->train->read_states(exec, 0, 0, tokens_, taps, last_hidden);
    seconds_[Work::target] += watch.lap();
    fill_zero(parameters(config, gradients_));
    const TttOutcome outcome = ttt_step(exec, {inputs_->draft, inputs_->heads.lm_head},
                                        {tokens_.input_ids, taps, last_hidden, supervision_}, {}, &gradients_);
    seconds_.add(outcome.seconds);
    watch.lap();
    optimizer_.apply(exec, inputs_->weights, gradients_, l2_norm(parameters(config, gradients_)), 1e-4);
    seconds_[Work::optimizer] += watch.lap();
  }

  WorkShares flops() const {
    WorkShares flops = step_flops(inputs_->draft.config, supervision_);
    flops[Work::target] = target_flops(inputs_->target->config, tokens_.cu_seqlens);
    return flops;
  }
  const WorkShares& seconds() const { return seconds_; }
  int64_t tokens() const { return tokens_.tokens(); }
  int64_t rows() const { return supervision_.rows(); }

 private:
  static std::unique_ptr<TrainInputs> load(const std::string& model) {
    TrainOptions options;
    options.model = model, options.data = model + "/conversations.jsonl";
    options.draft_vocabulary = kDraftVocabulary;
    return load_inputs(options);
  }

  const std::unique_ptr<TrainInputs> inputs_;
  const PackedBatch tokens_;
  const Supervision supervision_;
  Optimizer optimizer_;
  DraftTensors<Buffer> gradients_;
  WorkShares seconds_;
};

// Seconds of all calls so far; a rate is independent of how many there were.
void print_shares(const StepBench& bench, double step_ms) {
  const WorkShares &seconds = bench.seconds(), flops = bench.flops();
  const double calls = seconds.total() / (step_ms * 1e-3);
  fmt::print("\n{:<24}{:>12}{:>12}{:>14}{:>14}\n", "kind of work", "ms", "share", "GFLOP", "GFLOP/s");
  for (size_t i = 0; i < kWorkNames.size(); ++i) {
    const double mine = seconds.of[i] / calls;
    if (mine == 0) continue;
    fmt::print("{:<24}{:>12.2f}{:>11.1f}%{:>14.2f}{:>14.1f}\n", kWorkNames[i], mine * 1e3,
               100 * seconds.of[i] / seconds.total(), flops.of[i] * 1e-9, flops.of[i] / mine * 1e-9);
  }
}

}  // namespace

void bench_training(const BenchOptions& options) {
  StepBench bench(options.model);
  Exec exec;
  const testing::Measurement found = testing::measure(
      exec, {.flops = bench.flops().total(), .call = [&](Exec& in) { bench.step(in); }, .matrix_product = true});
  testing::print_measurement_head(fmt::format("a training step: {} tokens, {} rows, {} depths", bench.tokens(),
                                              bench.rows(), TrainOptions().ttt_steps));
  testing::print_measurement("target, forward, loss, backward, AdamW", found);
  print_shares(bench, found.median_ms);
}

}  // namespace eyrie
