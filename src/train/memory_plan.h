// train/memory_plan.h: the memory of a run, from its shapes, before it starts.
#pragma once
#include <cstdint>

#include "train/survey.h"

namespace eyrie {

struct MemoryPlan {
  int64_t parameters = 0;    // trained
  int64_t weight_bytes = 0;  // f32 weights and gradients
  int64_t moment_bytes = 0;  // both moments of AdamW
  int64_t state_bytes = 0;   // taps and last hidden states of one batch
  int64_t step_bytes = 0;    // what the forward of all depths keeps for the backward
  int64_t total_bytes() const { return weight_bytes + moment_bytes + state_bytes + step_bytes; }
};

int64_t parameter_count(const DraftConfig& config);
// For a batch of this size.
MemoryPlan plan_memory(const DraftConfig& config, int64_t depths, const BatchSize& batch);

}  // namespace eyrie
