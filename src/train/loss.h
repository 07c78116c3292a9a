// train/loss.h: the weights of the depths and the figures reported for them (spec §3 "Loss", "Reported"; docs/math.md).
//
//   L = sum over k of w^k / n_k times the sum over C_k of the soft cross entropy
// S_k: rows supervised at depth k; C_k: those of them whose teacher's argmax is in the draft vocabulary.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "data/supervision.h"
#include "ops/soft_cross_entropy.h"
#include "speculative/accept.h"

namespace eyrie {

// What n_k counts: |S_k| of the whole optimizer step, or |C_k| of the micro-batch (what public trainers do).
enum class Normalize { step, micro_batch };
Normalize find_normalize(std::string_view name);  // "step", "micro-batch"; Error{usage} lists them
std::string_view name(Normalize normalize);

// [K] w^k / n_k; 0 where n_k = 0.
std::vector<double> depth_scales(double decay, std::span<const int64_t> rows);

struct DepthFigures {
  double loss_sum = 0;        // over C_k
  double accept_sum = 0;      // over S_k, p'(argmax of the draft)
  int64_t supervised = 0;     // |S_k|
  int64_t in_vocabulary = 0;  // |C_k|
  int64_t right = 0;          // of S_k
  double loss() const;        // mean over C_k
  double oov_share() const;   // 1 - |C_k| / |S_k|
  double accuracy() const;    // over S_k
  double accept_probability() const;
};

struct StepFigures {
  std::vector<DepthFigures> depths;      // [K]
  std::vector<AcceptStatistics> walked;  // [K] with chains of 1..K drafts
  StepFigures() = default;
  explicit StepFigures(int64_t count) : depths(static_cast<size_t>(count)), walked(static_cast<size_t>(count)) {}
  void add(const StepFigures& other);
  std::vector<int64_t> supervised() const;  // [K] |S_k|
  double loss(std::span<const double> scales) const;
  // 1 + sum over k of the product of accuracies 0..k: only for comparison with other trainers, whose figure it is.
  double product_accept_length() const;
};

// From the results of the loss for one micro-batch: [R, K].
StepFigures read_figures(const Supervision& supervision, const SoftCrossEntropyResult& result);

}  // namespace eyrie
