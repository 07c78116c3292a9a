#include "model/rope_frequencies.h"

#include <gtest/gtest.h>

#include <cmath>

namespace eyrie {
namespace {

// (pair, frequency) as the step-by-step form of the Hugging Face documentation gives them in Python's fp64.
void expect_frequencies(const RopeConfig& rope, int64_t head_dim,
                        const std::vector<std::pair<size_t, double>>& expected) {
  const std::vector<double> found = rope_frequencies(rope, head_dim);
  ASSERT_EQ(found.size(), static_cast<size_t>(head_dim / 2));
  for (const auto& [pair, frequency] : expected)
    EXPECT_NEAR(found[pair], frequency, 1e-12 * frequency) << "pair " << pair;
}

TEST(RopeFrequencies, Default) { expect_frequencies({.theta = 10000}, 8, {{0, 1}, {1, 0.1}, {2, 0.01}, {3, 0.001}}); }

TEST(RopeFrequencies, Linear) {
  expect_frequencies({.kind = RopeKind::linear, .theta = 10000, .factor = 4}, 8, {{0, 0.25}, {2, 0.0025}});
}

TEST(RopeFrequencies, Llama3) {  // Llama 3.1
  const RopeConfig rope{.kind = RopeKind::llama3,
                        .theta = 500000,
                        .factor = 8,
                        .original_max_positions = 8192,
                        .low_frequency_factor = 1,
                        .high_frequency_factor = 4};
  expect_frequencies(rope, 128,
                     {{0, 1.0},
                      {20, 0.016560440080994446},
                      {28, 0.003211445994752591},
                      {30, 0.0013718935677611381},
                      {31, 0.0008567514129196321},
                      {34, 0.0001785078127679964},
                      {40, 3.428102195952591e-05},
                      {63, 3.068925988914511e-07}});
  EXPECT_EQ(rope_scale(rope), 1);
}

TEST(RopeFrequencies, Yarn) {  // Qwen 2.5 with a factor of 4
  const RopeConfig rope{.kind = RopeKind::yarn, .theta = 1e6, .factor = 4, .original_max_positions = 32768};
  expect_frequencies(rope, 128,
                     {{0, 1.0},
                      {20, 0.01333521432163324},
                      {23, 0.006978305848598663},
                      {24, 0.005375321490790102},
                      {30, 0.001064360981247002},
                      {39, 6.490394320837029e-05},
                      {40, 4.445698525097307e-05},
                      {45, 1.510740975595332e-05},
                      {63, 3.102344401879299e-07}});
  EXPECT_NEAR(rope_scale(rope), 1.138629436111989, 1e-15);
}

TEST(RopeFrequencies, YarnWithoutRounding) {
  const RopeConfig rope{.kind = RopeKind::yarn,
                        .theta = 1000,
                        .factor = 4,
                        .original_max_positions = 32,
                        .beta_fast = 4,
                        .beta_slow = 0.5,
                        .attention_factor = 1.5,
                        .truncate = false};
  expect_frequencies(rope, 16,
                     {{0, 1.0},
                      {1, 0.3271079572503725},
                      {2, 0.08255919119644806},
                      {3, 0.018747355233311395},
                      {7, 0.0005928434264154138}});
  EXPECT_EQ(rope_scale(rope), 1.5);
}

TEST(RopeFrequencies, YarnRampOfNoWidth) {  // both corrections fall on pair 0
  const RopeConfig rope{.kind = RopeKind::yarn, .theta = 10000, .factor = 4, .original_max_positions = 2};
  for (const double f : rope_frequencies(rope, 16)) EXPECT_TRUE(std::isfinite(f));
}

}  // namespace
}  // namespace eyrie
