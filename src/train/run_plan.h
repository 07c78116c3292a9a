// train/run_plan.h: what options and inputs resolve to: how many steps, how much memory, and the settings that a run's
// numbers depend on.
#pragma once
#include "train/checkpoint.h"
#include "train/inputs.h"
#include "train/memory_plan.h"

namespace eyrie {

// Error{input} when there is nothing to train on.
int64_t count_steps(const TrainOptions& options, const BatchSource& source);
RunSettings run_settings(const TrainOptions& options, const TrainInputs& inputs, int64_t steps);

struct TrainPlan {
  int64_t steps = 0, micro_batches_per_epoch = 0;
  int64_t most_tokens = 0;  // of one batch
  double supervised_share = 0, oov_share = 0;
  MemoryPlan memory;
  std::string text;  // the resolved run, some lines for people
};

// What the run will be, without starting it. Error{usage} for steps to dump that it does not have.
TrainPlan plan_training(const TrainOptions& options, const TrainInputs& inputs);

}  // namespace eyrie
