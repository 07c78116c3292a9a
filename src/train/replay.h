// train/replay.h: one training step of a dump, computed again: how a gradient spike is diagnosed and how other trainers
// are compared with ours.
//
// The dump (spec §7) is a directory: batch.safetensors (features, and target.lm_head.weight [V, Ht] and
// target.embed_tokens.weight [V, H] unless a target directory is named; n_k i64[K] when the batch was part of a larger
// step), draft/ (config.json, model.safetensors), optionally step.json with what the step was computed with and what
// loss it had.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "train/ttt_step.h"

namespace eyrie {

struct ReplayOptions {
  std::string directory = {};
  std::string model = {};                         // target directory; empty: the dump holds its heads
  std::vector<std::string> attention = {"auto"};  // backends, each compared with the first
  Device device = Device::cpu;                    // of those; a GPU's are compared with a run on the CPU, by auto
  DType dtype = DType::bf16;                      // of activations and weights on a GPU
  std::optional<Normalize> normalize = {};        // empty: as step.json says, else step
  std::optional<int64_t> ttt_steps = {};          // empty: as step.json says, else as many as n_k has, else 7
  std::optional<double> loss_decay = {};          // empty: as step.json says, else 0.8
};

struct TensorDifference {
  std::string tensor;
  double relative_l2 = 0;  // |gradient - first run's| / |first run's|
};

struct ReplayRun {
  std::string attention;  // the backend that ran, and "on cuda" with the dtype where it did
  double loss = 0, grad_norm = 0;
  StepFigures figures;
  std::vector<TensorDifference> differences;  // from the first run; empty for the first
};

struct Replay {
  int64_t ttt_steps = 0;
  double loss_decay = 0;
  Normalize normalize = Normalize::step;
  std::vector<ReplayRun> runs;     // one per backend
  std::string recorded_attention;  // as step.json writes it, JSON; empty: it does not say. No run follows it
  std::optional<double> recorded_loss;
  std::string why_not_compared;  // with it; empty: the first run's loss is to be the same
  DraftConfig config;
  Parameters gradients;  // of the first run, before clipping
};

// Errors: Error{file} for a dump that lacks or contradicts something, with the tensor, expected and found.
Replay replay(Exec&, const ReplayOptions&);
// Error{input} when a loss that can be compared with the recorded one is another.
void expect_recorded_loss(const ReplayOptions&, const Replay& result);

// loss [1], step_loss [K], step_accuracy [K], grad_norm [1] and grad.<tensor>, all f32, of the first run. Tensors are
// named as our own draft files name them: midlayer.* whatever the dump's draft says.
// Error{usage} when something other than a result of replay stands there.
void expect_replay_result(const std::string& path);
void write_replay(const std::string& path, const Replay& result);

}  // namespace eyrie
