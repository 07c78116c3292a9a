// train/optimizer.h: what happens between a gradient and the next weights.
//   learning rate   warm-up: base (s+1) / W for s < W;  then base (1 + cos(pi (s-W) / (S-W))) / 2;  W = ceil(warm-up S)
//   clip            gradient *= min(1, clip / |gradient|), the norm over all tensors together
//   AdamW           ops/adamw.h, bias correction by the count of steps applied
// A step whose loss or gradient is not finite, or whose update would leave such weights or moments, is not applied. A
// step whose norm exceeds `spike_factor` times the median of the last norms is applied, clipped, and reported.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/adamw.h"
#include "tensor/exec.h"
#include "train/parameters.h"

namespace eyrie {

struct OptimizerOptions {
  double learning_rate = 1e-4;
  double warmup_share = 0.015;  // of all steps
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  double clip = 0.5;         // 0: none
  double spike_factor = 10;  // 0: never
};

double learning_rate_at(const OptimizerOptions& options, int64_t step, int64_t steps);

// The gradient norms of the last kWindow applied steps.
class NormHistory {
 public:
  static constexpr size_t kWindow = 100, kFewest = 10;  // fewer than kFewest say nothing
  void add(double norm);
  double median() const;  // 0 while too few
  bool is_spike(double norm, double factor) const;
  const std::vector<double>& values() const { return values_; }  // oldest first
  void restore(std::vector<double> values) { values_ = std::move(values); }

 private:
  std::vector<double> values_;
};

enum class StepVerdict { fine, spike, not_finite };

class Optimizer {
 public:
  Optimizer(const DraftConfig& config, const OptimizerOptions& options);

  // To be asked before apply(): a spike or a bad step is dumped with the weights before it.
  StepVerdict judge(double loss, double gradient_norm) const;
  // Whether weights and moments would be finite after apply(). Only settings that bound no update (no clip, a tiny
  // epsilon, a huge learning rate) cost a rehearsal on copies.
  bool stays_finite(Exec& exec, DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients, double gradient_norm,
                    double learning_rate);
  // weights -= update; `gradients` are left as they are. Not for a step that is not finite.
  void apply(Exec& exec, DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients, double gradient_norm,
             double learning_rate);

  // What a checkpoint holds.
  DraftTensors<Buffer> first_moment, second_moment;
  int64_t applied = 0;
  NormHistory norms;

 private:
  std::vector<AdamW> updates(DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients, double gradient_norm,
                             double learning_rate);
  DraftConfig config_;
  OptimizerOptions options_;
};

}  // namespace eyrie
