// train/run_plan.h: what options and inputs resolve to: how many steps, how much memory, and the settings that a run's
// numbers depend on.
#pragma once
#include "train/checkpoint.h"
#include "train/inputs.h"
#include "train/work.h"

namespace eyrie {

// Error{input} when there is nothing to train on.
int64_t count_steps(const TrainOptions& options, const BatchSource& source);
RunSettings run_settings(const TrainOptions& options, const TrainInputs& inputs, int64_t steps);

// What one batch of the first epoch takes, by a dry run of its step.
struct StepPlan {
  int64_t frozen_bytes = 0;  // on a GPU: the target's tensors and the embedding
  int64_t state_bytes = 0;   // taps and last hidden states
  int64_t step_bytes = 0;    // beside them, at most: of the target's forward or of the draft's step
  WorkShares flops;
};
StepPlan plan_step(const TrainOptions& options, const TrainInputs& inputs, int64_t batch);
StepPlan plan_step(const TrainOptions& options, const TrainInputs& inputs, const PackedBatch& batch);

struct TrainPlan {
  int64_t steps = 0, micro_batches_per_epoch = 0;
  int64_t most_tokens = 0;  // of one batch
  double supervised_share = 0, oov_share = 0;
  int64_t parameters = 0;       // trained
  int64_t parameter_bytes = 0;  // f32, once: there are weights, gradients and two moments
  int64_t working_bytes = 0;    // on a GPU: the weights in another type
  StepPlan step;                // the largest
  int64_t bytes() const {
    return 4 * parameter_bytes + working_bytes + step.frozen_bytes + step.state_bytes + step.step_bytes;
  }
  std::string text;  // the resolved run, some lines for people
};

// What the run will be, without starting it. Error{usage} for steps to dump that it does not have.
TrainPlan plan_training(const TrainOptions& options, const TrainInputs& inputs);
// Error{device} when the GPU that a run is to be on has not the memory, with what it has and what would fit.
void expect_to_fit(const TrainOptions&, const TrainInputs&, const TrainPlan&);

}  // namespace eyrie
