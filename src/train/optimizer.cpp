#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/adamw.h"

namespace eyrie {

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

void Optimizer::apply(Exec& exec, DraftTensors<Buffer>& weights, DraftTensors<Buffer>& gradients, double gradient_norm,
                      double learning_rate) {
  ++applied;
  norms.add(gradient_norm);
  const bool clips = options_.clip > 0 && gradient_norm > options_.clip;
  const std::vector<Parameter> to = parameters(config_, weights), from = parameters(config_, gradients);
  const std::vector<Parameter> first = parameters(config_, first_moment), second = parameters(config_, second_moment);
  for (size_t i = 0; i < to.size(); ++i)
    adamw(exec, {.weight = to[i].tensor,
                 .gradient = from[i].tensor,
                 .first_moment = first[i].tensor,
                 .second_moment = second[i].tensor,
                 .gradient_scale = clips ? options_.clip / gradient_norm : 1.0,
                 .learning_rate = learning_rate,
                 .beta1 = options_.beta1,
                 .beta2 = options_.beta2,
                 .epsilon = options_.epsilon,
                 .weight_decay = options_.weight_decay,
                 .step = applied});
}

}  // namespace eyrie
