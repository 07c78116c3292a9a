// train/optimizer.h: what happens between a gradient and the next weights.
//   learning rate   warm-up: base (s+1) / W for s < W;  then base (1 + cos(pi (s-W) / (S-W))) / 2;  W = ceil(warm-up S)
//   clip            gradient *= min(1, clip / |gradient|), the norm over all tensors together
//   AdamW           ops/adamw.h, bias correction by the count of steps applied
// A step whose loss or gradient is not finite is not applied. A step whose norm exceeds `spike_factor` times the median
// of the last norms is applied, clipped, and reported.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

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

inline constexpr double kLargestNorm = 1e15;  // of what is applied: f32 holds its square

// What to do with a step, asked before it is applied: a spike or a bad step is dumped with the weights before it.
// too_large: finite, but neither clipped nor below kLargestNorm; not applied either.
enum class StepVerdict { fine, spike, not_finite, too_large };
StepVerdict judge(const OptimizerOptions&, const NormHistory&, double loss, double gradient_norm);

}  // namespace eyrie
