#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace eyrie {
namespace {

TEST(LearningRate, WarmsUpThenFollowsACosine) {
  const OptimizerOptions options{.learning_rate = 2.0, .warmup_share = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 0, 100), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 9, 100), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 10, 100), 2.0);
  EXPECT_NEAR(learning_rate_at(options, 55, 100), 1.0, 1e-12);
  EXPECT_LT(learning_rate_at(options, 99, 100), 0.001);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 0, 1), 2.0) << "one step is all of the warm-up";
}

TEST(NormHistory, ASpikeIsJudgedByTheMedian) {
  NormHistory history;
  for (int i = 0; i < 9; ++i) history.add(1.0);
  EXPECT_FALSE(history.is_spike(1e6, 10)) << "too few to know what is usual";
  history.add(500.0);
  EXPECT_FALSE(history.is_spike(10.0, 10));
  EXPECT_TRUE(history.is_spike(10.1, 10)) << "one earlier spike does not hide the next";
  EXPECT_FALSE(history.is_spike(1e6, 0)) << "0 switches it off";
  for (int i = 0; i < 200; ++i) history.add(50.0);
  EXPECT_EQ(history.values().size(), NormHistory::kWindow);
  EXPECT_FALSE(history.is_spike(400.0, 10));
}

DraftConfig tiny() {
  DraftConfig config;
  DecoderConfig& layer = config.decoder;
  layer.hidden = 4, layer.input_width = 8, layer.intermediate = 6;
  layer.q_heads = 2, layer.kv_heads = 1, layer.head_dim = 2;
  config.target_hidden = 4, config.vocabulary = 9, config.draft_vocabulary = 5;
  return config;
}

void fill(const std::vector<Parameter>& list, float value) {
  for (const Parameter& one : list) std::fill_n(one.tensor.as<float>(), one.tensor.elements(), value);
}

TEST(Optimizer, ClipsByTheNormOfAllTensors) {
  const DraftConfig config = tiny();
  DraftTensors<Buffer> weights = make_draft_tensors(config), gradients = make_draft_tensors(config);
  const std::vector<Parameter> list = parameters(config, gradients);
  fill(list, 2.0f);
  int64_t elements = 0;
  for (const Parameter& one : list) elements += one.tensor.elements();
  Exec exec;
  EXPECT_NEAR(l2_norm(exec, list), 2 * std::sqrt(static_cast<double>(elements)), 1e-9);
  Optimizer optimizer(config, {.clip = 0.5});
  optimizer.apply(exec, weights, gradients, l2_norm(exec, list), 0.01);
  // Adam's first step is the sign of the gradient; the moments show what was clipped.
  const double clipped = 0.5 / std::sqrt(static_cast<double>(elements));
  EXPECT_NEAR(optimizer.first_moment.fc.tensor().as<float>()[0], 0.1 * clipped, 1e-7);
  EXPECT_NEAR(weights.lm_head.tensor().as<float>()[3], -0.01, 1e-6);
  EXPECT_EQ(optimizer.applied, 1);
  EXPECT_EQ(optimizer.norms.values().size(), 1u);
}

TEST(Optimizer, JudgesBeforeItApplies) {
  Optimizer optimizer(tiny(), {});
  EXPECT_EQ(optimizer.judge(1.0, std::numeric_limits<double>::infinity()), StepVerdict::not_finite);
  EXPECT_EQ(optimizer.judge(std::numeric_limits<double>::quiet_NaN(), 1.0), StepVerdict::not_finite);
  for (int i = 0; i < 20; ++i) optimizer.norms.add(0.3);
  EXPECT_EQ(optimizer.judge(1.0, 2.9), StepVerdict::fine);
  EXPECT_EQ(optimizer.judge(1.0, 3.1), StepVerdict::spike);
}

}  // namespace
}  // namespace eyrie
