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
  const Draft& draft;          // trained tensors of exec's activations, norms f32; all on its device
  ConstTensor target_lm_head;  // [V, Ht]; on a CPU f32 | bf16 | f16, on a GPU of exec's activations
  AttentionBackend backend = AttentionBackend::automatic;
  bool deterministic = false;  // on a GPU: the same bits every time; a CPU has no other way
};

struct TttBatch {
  std::span<const int32_t> input_ids;  // [T]
  ConstTensor taps;                    // [T, m·Ht] of exec's activations, on its device
  ConstTensor last_hidden;             // [T, Ht] likewise
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
  WorkShares seconds;  // of ttt_step; of a run its clock has them
  WorkShares flops;    // of a dry run (Exec::plan), which has neither loss nor figures
  AttentionBackend attention = AttentionBackend::automatic;  // the one that ran; automatic: there were no rows
};

// A step that has been asked for. What it finds is read when exec.wait() has been called and before its `arrays` are
// cleared.
class TttRun {
 public:
  TttOutcome outcome() const;

 private:
  friend TttRun start_ttt_step(Exec&, HostArrays&, const TttModel&, const TttBatch&, const LossRule&,
                               const DraftTensors<Tensor>*, WorkClock&);
  const Supervision* supervision_ = nullptr;
  AttentionBackend attention_ = AttentionBackend::automatic;
  std::vector<double> scales_;         // [K]
  SoftCrossEntropyResult found_ = {};  // on the host; undefined: there were no rows, or it was a dry run
  WorkShares flops_;
};

// gradients += dL [as `draft.tensors`, f32]; null: the loss alone. All memory comes from exec.scratch and `arrays`,
// which are cleared first; they stop growing after the first steps. Does not wait for a GPU, but once where the loss is
// normalised by micro-batch. `batch` and its supervision outlive the run. Errors: Error{input} naming the tensor,
// expected and found.
TttRun start_ttt_step(Exec&, HostArrays& arrays, const TttModel&, const TttBatch&, const LossRule&,
                      const DraftTensors<Tensor>* gradients, WorkClock&);
// The same, waited for.
TttOutcome ttt_step(Exec&, HostArrays& arrays, const TttModel&, const TttBatch&, const LossRule&,
                    const DraftTensors<Tensor>* gradients);

}  // namespace eyrie
