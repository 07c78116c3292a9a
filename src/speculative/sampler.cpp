#include "speculative/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace eyrie {
namespace {

void expect_range(const char* option, bool inside, const char* expected, double found) {
  if (!inside) throw Error(ErrorKind::usage, option, fmt::format("expected {}, found {}", expected, found));
}

void check(const SamplingOptions& options, int64_t vocabulary) {
  expect_range("temperature", options.temperature >= 0 && std::isfinite(options.temperature), "a number >= 0",
               options.temperature);
  expect_range("top-k", options.top_k >= 0, "a count >= 0", static_cast<double>(options.top_k));
  expect_range("top-p", options.top_p > 0 && options.top_p <= 1, "a number in (0, 1]", options.top_p);
  expect_range("min-p", options.min_p >= 0 && options.min_p <= 1, "a number in [0, 1]", options.min_p);
  expect_range("repetition-penalty", options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
               "a number > 0", options.repetition_penalty);
  expect_range("presence-penalty", std::isfinite(options.presence_penalty), "a number", options.presence_penalty);
  expect_range("frequency-penalty", std::isfinite(options.frequency_penalty), "a number", options.frequency_penalty);
  for (const auto& [id, bias] : options.logit_bias) {
    expect_range("logit-bias", std::isfinite(bias), "a number", bias);
    if (id < 0 || id >= vocabulary)
      throw Error(ErrorKind::input, "logit-bias", fmt::format("expected an id in 0..{}, found {}", vocabulary - 1, id));
  }
}

}  // namespace

int32_t argmax(std::span<const float> logits) {
  constexpr size_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = std::max(lanes[lane], logits[i + lane]);
  for (; i < logits.size(); ++i) lanes[0] = std::max(lanes[0], logits[i]);
  const float highest = *std::max_element(lanes, lanes + kLanes);
  if (!std::isfinite(highest))
    throw Error(ErrorKind::input, "logits", fmt::format("expected the highest to be finite, found {}", highest));
  return static_cast<int32_t>(std::find(logits.begin(), logits.end(), highest) - logits.begin());
}

Sampler::Sampler(const SamplingOptions& options, int64_t vocabulary) : options_(options) {
  check(options, vocabulary);
  penalties_ = options.repetition_penalty != 1 || options.presence_penalty != 0 || options.frequency_penalty != 0;
  if (!penalties_) return;
  seen_.assign(static_cast<size_t>(vocabulary), 0);
  output_count_.assign(static_cast<size_t>(vocabulary), 0);
}

void Sampler::note(int32_t token) {
  if (seen_[static_cast<size_t>(token)]) return;
  seen_[static_cast<size_t>(token)] = 1;
  noted_.push_back(token);
}

void Sampler::add_prompt(std::span<const int32_t> tokens) {
  if (!penalties_) return;
  for (const int32_t token : tokens) note(token);
}

void Sampler::add_output(int32_t token) {
  if (!penalties_) return;
  note(token);
  ++output_count_[static_cast<size_t>(token)];
}

void Sampler::process(std::span<float> logits) const {
  const auto repetition = static_cast<float>(options_.repetition_penalty);
  for (const int32_t token : noted_) {
    float& logit = logits[static_cast<size_t>(token)];
    logit = logit > 0 ? logit / repetition : logit * repetition;
    const int32_t count = output_count_[static_cast<size_t>(token)];
    if (count > 0) logit -= static_cast<float>(options_.frequency_penalty * count + options_.presence_penalty);
  }
  for (const auto& [id, bias] : options_.logit_bias) logits[static_cast<size_t>(id)] += static_cast<float>(bias);
}

int32_t Sampler::choose(std::span<float> logits, int64_t position) {
  process(logits);
  if (options_.temperature == 0) return argmax(logits);
  select(logits);
  double total = 0;
  for (const Candidate& candidate : kept_) total += candidate.weight;
  const double threshold = philox_uniform(options_.seed, static_cast<uint64_t>(position)) * total;
  double cumulative = 0;
  for (const Candidate& candidate : kept_)
    if ((cumulative += candidate.weight) > threshold) return candidate.id;
  return kept_.back().id;  // u so close to 1 that threshold rounds to the total
}

std::vector<std::pair<int32_t, double>> Sampler::distribution(std::span<float> logits) {
  process(logits);
  select(logits);
  double total = 0;
  for (const Candidate& candidate : kept_) total += candidate.weight;
  std::vector<std::pair<int32_t, double>> out;
  for (const Candidate& candidate : kept_) out.emplace_back(candidate.id, candidate.weight / total);
  return out;
}

// kept_: what top-k, top-p and min-p leave, ascending by id.
void Sampler::select(std::span<const float> logits) {
  const double highest = logits[static_cast<size_t>(argmax(logits))];
  float least = -std::numeric_limits<float>::infinity();
  if (options_.top_k > 0 && options_.top_k < static_cast<int64_t>(logits.size())) {
    ordered_.assign(logits.begin(), logits.end());
    const auto kth = ordered_.begin() + (options_.top_k - 1);
    std::nth_element(ordered_.begin(), kth, ordered_.end(), std::greater<>());
    least = *kth;
  }
  kept_.clear();
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] >= least)) continue;
    const double weight = std::exp((logits[id] - highest) / options_.temperature);
    if (weight > 0) kept_.push_back({static_cast<int32_t>(id), weight});
  }
  if (options_.top_p < 1) keep_top_p();
  std::erase_if(kept_, [&](const Candidate& candidate) { return candidate.weight < options_.min_p; });
}

void Sampler::keep_top_p() {
  auto behind = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight < b.weight : a.id > b.id;
  };
  double total = 0;
  for (const Candidate& candidate : kept_) total += candidate.weight;
  ranked_ = kept_;
  std::make_heap(ranked_.begin(), ranked_.end(), behind);
  auto end = ranked_.end();
  Candidate last{};  // the lowest-ranked one that stays
  for (double ahead = 0; end != ranked_.begin() && ahead < options_.top_p * total; ahead += last.weight) {
    last = ranked_.front();
    std::pop_heap(ranked_.begin(), end--, behind);
  }
  std::erase_if(kept_, [&](const Candidate& candidate) { return behind(candidate, last); });
}

}  // namespace eyrie
