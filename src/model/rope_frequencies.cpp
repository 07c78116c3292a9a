#include "model/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace eyrie {
namespace {

double llama3_frequency(const RopeConfig& rope, double frequency) {
  const double turns = rope.original_max_positions * frequency / (2 * std::numbers::pi);
  const double low = rope.low_frequency_factor, high = rope.high_frequency_factor;
  const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return kept * frequency + (1 - kept) * frequency / rope.factor;
}

// The (fractional) pair that turns `turns` times in the original positions.
double yarn_pair(const RopeConfig& rope, double head_dim, double turns) {
  return head_dim * std::log(rope.original_max_positions / (turns * 2 * std::numbers::pi)) / (2 * std::log(rope.theta));
}

void yarn_frequencies(const RopeConfig& rope, int64_t head_dim, std::vector<double>& frequencies) {
  const auto dim = static_cast<double>(head_dim);
  double low = yarn_pair(rope, dim, rope.beta_fast), high = yarn_pair(rope, dim, rope.beta_slow);
  if (rope.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, dim - 1);
  if (low == high) high += 0.001;  // a step, as the reference implementations make it
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double slowed = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = slowed * frequencies[i] / rope.factor + (1 - slowed) * frequencies[i];
  }
}

}  // namespace

std::vector<double> rope_frequencies(const RopeConfig& rope, int64_t head_dim) {
  std::vector<double> frequencies(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    double& f = frequencies[i] = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    if (rope.kind == RopeKind::linear) f /= rope.factor;
    if (rope.kind == RopeKind::llama3) f = llama3_frequency(rope, f);
  }
  if (rope.kind == RopeKind::yarn) yarn_frequencies(rope, head_dim, frequencies);
  return frequencies;
}

double rope_scale(const RopeConfig& rope) {
  if (rope.kind != RopeKind::yarn) return 1;
  return rope.attention_factor.value_or(0.1 * std::log(rope.factor) + 1);
}

RopeTable make_rope_table(const DecoderConfig& config) {
  return {rope_frequencies(config.rope, config.head_dim), rope_scale(config.rope), config.max_positions};
}

}  // namespace eyrie
