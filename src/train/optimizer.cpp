#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

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

StepVerdict judge(const OptimizerOptions& options, const NormHistory& norms, double loss, double gradient_norm) {
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) return StepVerdict::not_finite;
  if (options.clip == 0 && gradient_norm >= kLargestNorm) return StepVerdict::too_large;
  return norms.is_spike(gradient_norm, options.spike_factor) ? StepVerdict::spike : StepVerdict::fine;
}

}  // namespace eyrie
