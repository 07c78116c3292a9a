#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace eyrie {
namespace {

constexpr double kHarmless = 1e15;                // far from f32's largest, its square too
constexpr int64_t kRehearsed = int64_t{1} << 20;  // elements at once

bool all_finite(const Tensor& tensor) {
  const float* x = tensor.as<float>();
  return std::all_of(x, x + tensor.elements(), [](float value) { return std::isfinite(value); });
}

Tensor take_copy(Scratch& scratch, const ConstTensor& tensor) {
  const Tensor made = scratch.take(DType::f32, tensor.shape);
  copy(tensor, made);
  return made;
}

// The update on copies, part by part: is what it leaves finite?
bool rehearse(Exec& exec, const AdamW& update) {
  const int64_t elements = update.weight.elements();
  for (int64_t begin = 0; begin < elements; begin += kRehearsed) {
    const ScratchScope scope(exec.scratch);
    const auto part = [&](const ConstTensor& whole) {
      return whole.reshape({elements}).slice(begin, std::min(begin + kRehearsed, elements));
    };
    AdamW trial = update;
    trial.gradient = part(update.gradient);
    trial.weight = take_copy(exec.scratch, part(update.weight));
    trial.first_moment = take_copy(exec.scratch, part(update.first_moment));
    trial.second_moment = take_copy(exec.scratch, part(update.second_moment));
    adamw(exec, trial);
    if (!all_finite(trial.weight) || !all_finite(trial.first_moment) || !all_finite(trial.second_moment)) return false;
  }
  return true;
}

}  // namespace

double learning_rate_at(const OptimizerOptions& options, int64_t step, int64_t steps) {
  const auto warmup = static_cast<int64_t>(std::ceil(options.warmup_share * static_cast<double>(steps)));
  if (step < warmup) return options.learning_rate * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double done = static_cast<double>(step - warmup) / static_cast<double>(std::max<int64_t>(steps - warmup, 1));
  return options.learning_rate * (1 + std::cos(std::numbers::pi * std::min(done, 1.0))) / 2;
}

void NormHistory::add(double norm) {
  if (values_.size() == kWindow) values_.erase(values_.begin());
  values_.push_back(norm);
}

double NormHistory::median() const {
  if (values_.size() < kFewest) return 0;
  std::vector<double> sorted = values_;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<int64_t>(sorted.size() / 2), sorted.end());
  return sorted[sorted.size() / 2];
}

bool NormHistory::is_spike(double norm, double factor) const {
  const double usual = median();
  return factor > 0 && usual > 0 && norm > factor * usual;
}

Optimizer::Optimizer(const DraftConfig& config, const OptimizerOptions& options)
    : first_moment(make_draft_tensors(config)),
      second_moment(make_draft_tensors(config)),
      config_(config),
      options_(options) {}

StepVerdict Optimizer::judge(double loss, double gradient_norm) const {
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) return StepVerdict::not_finite;
  return norms.is_spike(gradient_norm, options_.spike_factor) ? StepVerdict::spike : StepVerdict::fine;
}

std::vector<AdamW> Optimizer::updates(DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients,
                                      double gradient_norm, double learning_rate) {
  const bool clips = options_.clip > 0 && gradient_norm > options_.clip;
  const std::vector<Parameter> to = parameters(config_, weights), from = parameters(config_, gradients);
  const std::vector<Parameter> first = parameters(config_, first_moment), second = parameters(config_, second_moment);
  std::vector<AdamW> list;
  for (size_t i = 0; i < to.size(); ++i)
    list.push_back({.weight = to[i].tensor,
                    .gradient = from[i].tensor,
                    .first_moment = first[i].tensor,
                    .second_moment = second[i].tensor,
                    .gradient_scale = clips ? options_.clip / gradient_norm : 1.0,
                    .learning_rate = learning_rate,
                    .beta1 = options_.beta1,
                    .beta2 = options_.beta2,
                    .epsilon = options_.epsilon,
                    .weight_decay = options_.weight_decay,
                    .step = applied + 1});
  return list;
}

// With every gradient within the clip, so are the moments m, and a weight moves by the rate times clip / epsilon and
// its own decay at most.
bool Optimizer::stays_finite(Exec& exec, DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients,
                             double gradient_norm, double learning_rate) {
  const bool bounded = options_.clip > 0 && options_.clip < kHarmless && options_.epsilon > 1 / kHarmless;
  if (bounded && learning_rate * std::max(options_.clip / options_.epsilon, 1.0) < kHarmless &&
      learning_rate * options_.weight_decay <= 1)
    return true;
  for (const AdamW& update : updates(weights, gradients, gradient_norm, learning_rate))
    if (!rehearse(exec, update)) return false;
  return true;
}

void Optimizer::apply(Exec& exec, DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients, double gradient_norm,
                      double learning_rate) {
  for (const AdamW& update : updates(weights, gradients, gradient_norm, learning_rate)) adamw(exec, update);
  ++applied;
  norms.add(gradient_norm);
}

}  // namespace eyrie
