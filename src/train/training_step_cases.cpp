#include <fmt/core.h>

#include <algorithm>

#include "base/time.h"
#include "train/inputs.h"
#include "train/run_plan.h"
#include "train/train_cases.h"
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
    Exec here;
    begin_training(here, inputs_->state);
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
  // Of each kind by itself, all calls but the first, which grows the scratch memory.
  std::vector<testing::Workload::Part> parts() const {
    std::vector<testing::Workload::Part> list;
    const WorkShares all = flops();
    for (size_t kind = 0; kind < kWorkNames.size(); ++kind) {
      std::vector<double> seconds;
      for (size_t call = 1; call < calls_.size(); ++call) seconds.push_back(calls_[call].of[kind]);
      const auto median = seconds.begin() + std::ssize(seconds) / 2;
      std::ranges::nth_element(seconds, median);
      list.push_back({kWorkNames[kind], *median, all.of[kind]});
    }
    return list;
  }
  std::string text() const {
    return fmt::format("a training step: {} tokens, {} rows, {} depths", tokens_.tokens(), supervision_.rows(),
                       supervision_.depths);
  }

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

}  // namespace

void add_training_cases(testing::CaseList& cases, const std::string& model) {
  const auto work = [=](Exec&) {
    const auto made = std::make_shared<StepBench>(model);
    return testing::Workload{.flops = made->flops().total(),
                             .call = [=](Exec& exec) { made->step(exec); },
                             .about = made->text(),
                             .parts = [=] { return made->parts(); }};
  };
  cases.push_back({.name = "training/target, forward, backward, AdamW", .check = {}, .grad = {}, .bench = work});
}

}  // namespace eyrie
