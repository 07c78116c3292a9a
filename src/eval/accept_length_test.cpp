#include "eval/accept_length.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "eval/probe.h"
#include "speculative/tiny_models_fixture.h"

namespace eyrie {
namespace {

using testing::TinyModels;

std::vector<std::vector<int32_t>> random_prompts(std::string_view name, size_t count) {
  RandomStream stream(name);
  std::vector<std::vector<int32_t>> prompts(count);
  for (auto& prompt : prompts)
    for (uint64_t i = 1 + stream.below(20); i > 0; --i) prompt.push_back(static_cast<int32_t>(stream.below(6)));
  return prompts;
}

TEST(CompareSpeculation, OneRunGivesWhatARunOfEachChainServes) {
  TinyModels models = testing::make_tiny_models("compare");
  Exec exec;
  const auto prompts = random_prompts("compare prompts", 6);
  SpeculationComparison comparison{
      .options = {.max_new_tokens = 40, .chain = 5, .sampling = {.temperature = 1, .seed = 9}, .stop_ids = {3}}};
  const SpeculationReport report = compare_speculation(exec, models.target, models.draft, prompts, comparison);
  EXPECT_EQ(report.prompts, 6);
  EXPECT_EQ(report.identical, 6);
  ASSERT_EQ(report.accept_length_by_chain.size(), 5u);
  EXPECT_EQ(report.accept_length_by_chain[4], report.speculative.steps.accept_length());
  EXPECT_EQ(report.plain.steps.accept_length(), 1);
  EXPECT_NEAR(report.speed_up(), report.speculative.steps.accept_length() / report.break_even(), 1e-9);
  for (int64_t chain = 1; chain < 5; ++chain) {
    comparison.options.chain = chain;
    const SpeculationReport one = compare_speculation(exec, models.target, models.draft, prompts, comparison);
    EXPECT_EQ(one.speculative.steps.accept_length(), report.accept_length_by_chain[static_cast<size_t>(chain) - 1]);
  }
}

TEST(CompareSpeculation, TheVerdictSaysWhetherTheDraftPaysAndWhatACycleCosts) {
  SpeculationReport report;
  report.plain.steps.steps_by_tokens = {0, 1000};
  report.plain.seconds.target = 0.2;  // 0.2 ms a step
  report.speculative.steps.steps_by_tokens = {0, 0, 50, 0, 50};
  report.speculative.seconds = {.prefill = 9, .draft = 0.01, .target = 0.04, .choose = 0.002};  // 0.52 ms a cycle
  EXPECT_EQ(
      verdict(report, 4),
      "On this machine the draft pays from an accept length of 2.60 on: a cycle takes 0.52 ms and a plain step 0.20 "
      "ms. With 3.00 it gives 1.15 times the tokens/s. Verifying 5 tokens at once costs 2.0 plain steps, drafting "
      "0.5.");
  report.speculative.seconds.target = 0.06;
  EXPECT_EQ(
      verdict(report, 4),
      "On this machine the draft would pay from an accept length of 3.60 on: a cycle takes 0.72 ms and a plain step "
      "0.20 ms. With 3.00 it gives 0.83 times the tokens/s. Verifying 5 tokens at once costs 3.0 plain steps (where "
      "a target fits the caches, each of them costs its own arithmetic), drafting 0.5.");
}

TEST(Probe, TriesEveryReadingAndLeavesTheDraftAlone) {
  TinyModels models = testing::make_tiny_models("probe", {.layers = 5, .tap_ids = {1, 2, 3}});
  Exec exec;
  const ProbeReport report = probe_draft(exec, models.target, models.draft, random_prompts("probe prompts", 3));
  ASSERT_EQ(report.readings.size(), 6u);
  EXPECT_EQ(report.readings[0].tap_ids, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_FALSE(report.readings[0].norm_output);
  EXPECT_EQ(report.best, 0u) << "three prompts are no reason to leave the file's own";
  EXPECT_NE(report.verdict.find("no reading is clearly better"), std::string::npos) << report.verdict;
  EXPECT_NE(report.verdict.find("(3 prompts, "), std::string::npos) << report.verdict;
  for (const ProbeReading& reading : report.readings) {
    EXPECT_GE(reading.accept_length, 1);
    EXPECT_LE(reading.accept_length, 5);
  }
  EXPECT_EQ(models.draft.config.tap_ids, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_FALSE(models.draft.config.norm_output);
  // Ids at the edge of the target leave out the readings beyond it.
  models.draft.config.tap_ids = {0, 2, 4};
  EXPECT_EQ(probe_draft(exec, models.target, models.draft, {{1, 2}}).readings.size(), 2u);
  EXPECT_THROW(probe_draft(exec, models.target, models.draft, {}), Error);
}

// Pairs of the same prompt: what a prompt is worth in itself does not count, but a difference must rise above its
// noise.
TEST(Probe, BetterIsBeyondTheNoise) {
  const std::vector<double> own = {2, 4, 3, 5, 2.5, 3.5, 4.5, 1.5, 3};
  const auto reading = [&](const std::vector<double>& more) {
    ProbeReading made;
    for (size_t i = 0; i < more.size(); ++i) made.kept_per_row.push_back(own[i] + more[i]);
    return made;
  };
  const ProbeReading same = reading({0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(clearly_better(reading({0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1}), same));
  EXPECT_FALSE(clearly_better(same, reading({0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1})));
  EXPECT_FALSE(clearly_better(reading({2, -1, 1, -1, 2, -1, 1, -1, 1}), same)) << "better in the mean alone";
  EXPECT_FALSE(clearly_better(reading({0, 0, 0, 0, 1, 1, 1, 0, 0}), same)) << "twice its standard error";
  EXPECT_FALSE(clearly_better(same, same));
  EXPECT_FALSE(clearly_better(reading({1, 1, 1, 1, 1, 1, 1}), same)) << "seven prompts";
}

}  // namespace
}  // namespace eyrie
