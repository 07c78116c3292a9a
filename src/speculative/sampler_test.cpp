#include "speculative/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/random.h"

namespace eyrie {
namespace {

constexpr double kGone = -INFINITY;

struct History {
  std::vector<int32_t> prompt, output;
};

std::vector<double> probabilities(const std::vector<double>& logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> out;
  double total = 0;
  for (const double logit : logits) out.push_back(std::exp(logit - highest)), total += out.back();
  for (double& p : out) p /= total;
  return out;
}

// Hugging Face's processors as they are documented, each on the whole vector, in fp64, with the softmax taken anew
// before each of top-p and min-p.
std::vector<double> by_definition(const std::vector<float>& logits, const SamplingOptions& options,
                                  const History& history) {
  std::vector<double> l(logits.begin(), logits.end());
  for (size_t id = 0; id < l.size(); ++id) {
    const auto in_prompt = std::count(history.prompt.begin(), history.prompt.end(), id);
    const auto in_output = std::count(history.output.begin(), history.output.end(), id);
    if (in_prompt + in_output)
      l[id] = l[id] > 0 ? l[id] / options.repetition_penalty : l[id] * options.repetition_penalty;
    l[id] -= options.frequency_penalty * static_cast<double>(in_output) + (in_output ? options.presence_penalty : 0);
  }
  for (const auto& [id, bias] : options.logit_bias) l[static_cast<size_t>(id)] += bias;
  for (double& logit : l) logit /= options.temperature;
  if (options.top_k > 0 && options.top_k < static_cast<int64_t>(l.size())) {
    std::vector<double> sorted = l;
    std::sort(sorted.rbegin(), sorted.rend());
    for (double& logit : l)
      if (logit < sorted[static_cast<size_t>(options.top_k) - 1]) logit = kGone;
  }
  if (options.top_p < 1) {
    const std::vector<double> p = probabilities(l);
    std::vector<size_t> order(l.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
    double ahead = 0;
    for (const size_t id : order) {
      if (ahead >= options.top_p) l[id] = kGone;
      ahead += p[id];
    }
  }
  if (options.min_p > 0) {
    const std::vector<double> p = probabilities(l);
    const double highest = *std::max_element(p.begin(), p.end());
    for (size_t id = 0; id < l.size(); ++id)
      if (p[id] < options.min_p * highest) l[id] = kGone;
  }
  return probabilities(l);
}

std::vector<double> found_distribution(const std::vector<float>& logits, const SamplingOptions& options,
                                       const History& history) {
  Sampler sampler(options, static_cast<int64_t>(logits.size()));
  sampler.add_prompt(history.prompt);
  for (const int32_t token : history.output) sampler.add_output(token);
  std::vector<float> scratch = logits;
  std::vector<double> out(logits.size(), 0);
  for (const auto& [id, p] : sampler.distribution(scratch)) out[static_cast<size_t>(id)] = p;
  return out;
}

TEST(Sampler, ProcessorsEqualTheirDefinitionsInOrder) {
  RandomStream stream("processors");
  auto sometimes = [&](double value, double off) { return stream.below(2) ? value : off; };
  for (int round = 0; round < 2000; ++round) {
    std::vector<float> logits(3 + stream.below(30));
    for (float& logit : logits) logit = static_cast<float>(stream.normal() * 3);
    auto any_token = [&] { return static_cast<int32_t>(stream.below(logits.size())); };
    History history;
    for (uint64_t i = stream.below(9); i > 0; --i) history.prompt.push_back(any_token());
    for (uint64_t i = stream.below(9); i > 0; --i) history.output.push_back(any_token());
    SamplingOptions options{.temperature = 0.3 + stream.uniform() * 2,
                            .top_k = static_cast<int64_t>(sometimes(1 + static_cast<double>(stream.below(8)), 0)),
                            .top_p = sometimes(0.05 + 0.9 * stream.uniform(), 1),
                            .min_p = sometimes(0.3 * stream.uniform(), 0),
                            .repetition_penalty = sometimes(0.5 + stream.uniform() * 2, 1),
                            .presence_penalty = sometimes(stream.normal(), 0),
                            .frequency_penalty = sometimes(stream.normal(), 0)};
    if (stream.below(2)) options.logit_bias = {{any_token(), stream.normal() * 5}, {any_token(), stream.normal() * 5}};
    const std::vector<double> expected = by_definition(logits, options, history);
    const std::vector<double> found = found_distribution(logits, options, history);
    for (size_t id = 0; id < logits.size(); ++id) ASSERT_NEAR(found[id], expected[id], 2e-5) << round << " id " << id;
  }
}

TEST(Sampler, TiesAtTheEdges) {
  const float half = std::log(0.5f), quarter = std::log(0.25f);
  const std::vector<float> logits = {quarter, half, quarter};
  auto kept = [&](const SamplingOptions& options) {
    std::vector<int32_t> ids;
    const std::vector<double> p = found_distribution(logits, options, {});
    for (size_t id = 0; id < p.size(); ++id)
      if (p[id] > 0) ids.push_back(static_cast<int32_t>(id));
    return ids;
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(kept({.temperature = 1, .top_k = 2}), (Ids{0, 1, 2}));  // ties with the k-th stay
  EXPECT_EQ(kept({.temperature = 1, .top_p = 0.45}), (Ids{1}));
  EXPECT_EQ(kept({.temperature = 1, .top_p = 0.55}), (Ids{0, 1}));  // among equals the lowest id first
  EXPECT_EQ(kept({.temperature = 1, .top_p = 0.7}), (Ids{0, 1}));
  EXPECT_EQ(kept({.temperature = 1, .top_p = 0.8}), (Ids{0, 1, 2}));
  EXPECT_EQ(kept({.temperature = 1, .top_p = 1e-9}), (Ids{1}));  // never empty
  EXPECT_EQ(kept({.temperature = 1, .min_p = 0.49}), (Ids{0, 1, 2}));
  EXPECT_EQ(kept({.temperature = 1, .min_p = 0.51}), (Ids{1}));
  EXPECT_EQ(kept({.temperature = 1, .min_p = 1}), (Ids{1}));
  // Masses of exactly representable weights: a token whose mass ahead equals top-p is out.
  const std::vector<float> equal = {0, 0, 0, 0};
  const std::vector<double> p = found_distribution(equal, {.temperature = 1, .top_p = 0.5}, {});
  EXPECT_EQ(p, (std::vector<double>{0.5, 0.5, 0, 0}));
}

TEST(Sampler, GreedyTakesTheLowestIdOfTheHighest) {
  for (size_t size : {1, 5, 16, 17, 100})
    for (size_t first = 0; first < size; first += 3) {
      std::vector<float> logits(size, -2);
      logits[first] = 1.5f, logits[size - 1] = 1.5f;
      ASSERT_EQ(argmax(logits), static_cast<int32_t>(first));
    }
  EXPECT_EQ(argmax(std::vector<float>{NAN, 1, NAN, 2}), 3);
  EXPECT_EQ(argmax(std::vector<float>(20, -3)), 0);
  EXPECT_THROW(argmax(std::vector<float>(3, NAN)), Error);
  EXPECT_THROW(argmax(std::vector<float>(33, -INFINITY)), Error);
  EXPECT_THROW(argmax(std::vector<float>{0, INFINITY}), Error);
  // Temperature 0 is greedy after penalties and bias.
  Sampler sampler({.frequency_penalty = 2, .logit_bias = {{2, 0.75}}}, 3);
  sampler.add_output(0);
  std::vector<float> logits = {2, 0.5f, 0};
  EXPECT_EQ(sampler.choose(logits, 0), 2);
}

TEST(Sampler, DrawIsTheInverseOfTheCumulativeAtThePhiloxNumberOfThePosition) {
  const std::vector<float> logits = {0, 1, -1, 0.5f, 2};
  const std::vector<double> p = probabilities({0, 1, -1, 0.5, 2});
  Sampler sampler({.temperature = 1, .seed = 42}, 5);
  std::map<int32_t, int> seen;
  for (int64_t position = 0; position < 300; ++position) {
    const double u = philox_uniform(42, static_cast<uint64_t>(position));
    double cumulative = 0;
    int32_t expected = 0;
    while ((cumulative += p[static_cast<size_t>(expected)]) <= u) ++expected;
    std::vector<float> scratch = logits;
    const int32_t found = sampler.choose(scratch, position);
    ASSERT_EQ(found, expected) << "position " << position;
    ++seen[found];
  }
  EXPECT_EQ(seen.size(), 5u);
}

// Chi-square over 20,000 positions; 9 degrees of freedom, 27.9 is passed once in a thousand seeds.
TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> logits = {0.3f, -1, 2, 0, 0.9f, -2, 1.1f, 0.2f, -0.4f, 1.6f};
  for (const uint64_t seed : {1u, 7u, 12345u}) {
    SamplingOptions options{.temperature = 0.8, .seed = seed};
    const std::vector<double> p = found_distribution(logits, options, {});
    Sampler sampler(options, 10);
    constexpr int kDraws = 20000;
    std::vector<int> counts(10, 0);
    for (int position = 0; position < kDraws; ++position) {
      std::vector<float> scratch = logits;
      ++counts[static_cast<size_t>(sampler.choose(scratch, position))];
    }
    double chi_square = 0;
    for (size_t id = 0; id < 10; ++id) chi_square += std::pow(counts[id] - kDraws * p[id], 2) / (kDraws * p[id]);
    EXPECT_LT(chi_square, 27.9) << "seed " << seed;
    EXPECT_GT(chi_square, 1.1) << "seed " << seed;  // as rare below
  }
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  for (const SamplingOptions& bad : std::vector<SamplingOptions>{{.temperature = -1},
                                                                 {.temperature = NAN},
                                                                 {.top_k = -1},
                                                                 {.top_p = 0},
                                                                 {.top_p = 1.5},
                                                                 {.min_p = -0.1},
                                                                 {.min_p = 2},
                                                                 {.repetition_penalty = 0},
                                                                 {.presence_penalty = INFINITY},
                                                                 {.logit_bias = {{10, 1.0}}},
                                                                 {.logit_bias = {{-1, 1.0}}},
                                                                 {.logit_bias = {{1, NAN}}}})
    EXPECT_THROW(Sampler(bad, 10), Error);
}

}  // namespace
}  // namespace eyrie
