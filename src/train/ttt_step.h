// train/ttt_step.h: one micro-batch of training-time test (spec §3; docs/math.md, "TTT"): the draft forward through K
// depths, the loss of all depths in one pass, the gradients back through every depth and every cached key and value.
//
// Which rows, tokens, positions and teachers: train/ttt_rows.h.
#pragma once
#include "attention/suffix_attention.h"
#include "data/supervision.h"
#include "model/draft.h"
#include "train/loss.h"
#include "train/ttt_rows.h"
#include "train/work.h"

namespace eyrie {

inline constexpr int64_t kMaxDepths = 17;  // depth 0 and 16 suffix keys

struct TttModel {
  const Draft& draft;          // trained tensors f32
  ConstTensor target_lm_head;  // [V, Ht] f32 | bf16 | f16
  AttentionBackend backend = AttentionBackend::automatic;
  Device attention_device = Device::cpu;  // of the attention alone
};

struct TttBatch {
  std::span<const int32_t> input_ids;  // [T]
  ConstTensor taps;                    // [T, m·Ht] f32
  ConstTensor last_hidden;             // [T, Ht] f32
  const Supervision& supervision;      // its depths are K
};

struct LossRule {
  double decay = 0.8;  // w
  Normalize normalize = Normalize::step;
  std::span<const int64_t> step_rows = {};  // [K] n_k of the optimizer step; empty: this batch is the whole step
};

struct TttOutcome {
  double loss = 0;  // L over this micro-batch's rows
  StepFigures figures;
  WorkShares seconds;
  WorkShares flops;  // of a dry run (Exec::plan), which has neither loss nor figures
  AttentionBackend attention = AttentionBackend::automatic;  // the one that ran; automatic: there were no rows
};

// gradients += dL; null: the loss alone. All memory comes from exec.scratch and `arrays`, which are cleared first; they
// stop growing after the first steps. Errors: Error{input} naming the tensor, expected and found.
TttOutcome ttt_step(Exec&, HostArrays& arrays, const TttModel&, const TttBatch&, const LossRule&,
                    const DraftTensors<Tensor>* gradients);

}  // namespace eyrie
