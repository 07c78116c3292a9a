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

TEST(Judge, SaysWhatBecomesOfAStep) {
  const OptimizerOptions clipped, free{.clip = 0};
  NormHistory norms;
  EXPECT_EQ(judge(clipped, norms, 1.0, std::numeric_limits<double>::infinity()), StepVerdict::not_finite);
  EXPECT_EQ(judge(clipped, norms, std::numeric_limits<double>::quiet_NaN(), 1.0), StepVerdict::not_finite);
  EXPECT_EQ(judge(free, norms, 1.0, 1e15), StepVerdict::too_large);
  EXPECT_EQ(judge(free, norms, 1.0, 9e14), StepVerdict::fine);
  EXPECT_EQ(judge(clipped, norms, 1.0, 1e30), StepVerdict::fine);
  for (int i = 0; i < 20; ++i) norms.add(0.3);
  EXPECT_EQ(judge(clipped, norms, 1.0, 2.9), StepVerdict::fine);
  EXPECT_EQ(judge(clipped, norms, 1.0, 3.1), StepVerdict::spike);
}

}  // namespace
}  // namespace eyrie
