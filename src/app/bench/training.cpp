#include <fmt/core.h>

#include <algorithm>

#include "app/bench/parts.h"
#include "base/time.h"
#include "testing/harness.h"
#include "train/inputs.h"
#include "train/run_plan.h"
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
        supervision_(supervise(tokens_.loss_mask, tokens_.cu_seqlens, TrainOptions().ttt_steps)) {
    begin_training(inputs_->state);
  }

  void step(Exec& exec) {
    Stopwatch watch;
    TrainState& state = inputs_->state;
    const DraftConfig& config = state.draft.config;
    const ScratchScope scope(exec.scratch);
    const TargetStates states = take_states(exec, config, tokens_.tokens());
    inputs_->train->read_states(exec, 0, 0, tokens_, states.taps, states.last_hidden);
    const double target_seconds = watch.lap();
    fill_zero(state.gradients.memory);
    const TttOutcome outcome =
        ttt_step(exec, arrays_, {state.draft, inputs_->heads.lm_head},
                 {tokens_.input_ids, states.taps, states.last_hidden, supervision_}, {}, &state.gradients.tensors);
    WorkShares seconds = outcome.seconds;
    seconds[Work::target] = target_seconds;
    watch.lap();
    apply_step(exec, {}, l2_norm(exec, config, state.gradients), 1e-4, state);
    seconds[Work::optimizer] = watch.lap();
    calls_.push_back(seconds);
  }

  WorkShares flops() const { return plan_step({}, *inputs_, 0).flops; }
  // Of each kind by itself, the median of all calls but the first, which grows the scratch memory.
  WorkShares median_seconds() const {
    WorkShares medians;
    for (size_t kind = 0; kind < medians.of.size(); ++kind) {
      std::vector<double> seconds;
      for (size_t call = 1; call < calls_.size(); ++call) seconds.push_back(calls_[call].of[kind]);
      std::ranges::nth_element(seconds, seconds.begin() + static_cast<int64_t>(seconds.size() / 2));
      medians.of[kind] = seconds[seconds.size() / 2];
    }
    return medians;
  }
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
  HostArrays arrays_;
  std::vector<WorkShares> calls_;
};

void print_shares(const StepBench& bench, double peak_flops) {
  const WorkShares seconds = bench.median_seconds(), flops = bench.flops();
  fmt::print("\n{:<20}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "kind of work", "ms", "of the step", "GFLOP", "GFLOP/s",
             "of FMA peak");
  for (size_t i = 0; i < kWorkNames.size(); ++i) {
    fmt::print("{:<20}{:>12.2f}{:>10.1f} %", kWorkNames[i], seconds.of[i] * 1e3, 100 * seconds.of[i] / seconds.total());
    if (flops.of[i] > 0)
      fmt::print("{:>12.2f}{:>12.1f}{:>10.0f} %", flops.of[i] * 1e-9, flops.of[i] / seconds.of[i] * 1e-9,
                 100 * flops.of[i] / seconds.of[i] / peak_flops);
    fmt::print("\n");
  }
}

}  // namespace

void bench_training(const BenchOptions& options) {
  StepBench bench(options.model);
  Exec exec;
  const testing::Measurement found =
      testing::measure(exec, {.flops = bench.flops().total(), .call = [&](Exec& in) { bench.step(in); }});
  testing::print_measurement_head(fmt::format("a training step: {} tokens, {} rows, {} depths", bench.tokens(),
                                              bench.rows(), TrainOptions().ttt_steps));
  testing::print_measurement("target, forward, loss, backward, AdamW", found);
  print_shares(bench, found.limit);
}

}  // namespace eyrie
