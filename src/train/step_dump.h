// train/step_dump.h: one micro-batch of a step on disk with the weights before it, as replay.h reads it (spec §7).
#pragma once
#include "data/features.h"
#include "train/ttt_step.h"

namespace eyrie {

struct StepDump {
  const Draft& draft;
  const TargetHeads& heads;
  const PackedBatch& tokens;
  ConstTensor taps, last_hidden;  // [T, m·Ht], [T, Ht] f32
  const FeatureInfo& info;
  const LossRule& rule;  // step_rows given
  std::string attention;
  int64_t step = 0;
  double loss = 0, grad_norm = 0;  // of the whole step, as seen
};
void write_step_dump(const std::string& directory, const StepDump&);

}  // namespace eyrie
