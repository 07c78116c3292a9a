#include "app/progress.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

TEST(Progress, DurationsRoundUp) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(59.2), "1:00");
  EXPECT_EQ(format_duration(65), "1:05");
  EXPECT_EQ(format_duration(7389), "2:03:09");
}

TEST(Progress, FitsTheTerminal) {
  const std::string details = "loss 3.210  accuracy 0.61  8123 tokens/s  0:43 left";
  for (int width = 1; width < 140; ++width)
    EXPECT_LT(format_progress("train", 0.42, details, width).size(), std::max(width, 1));
  EXPECT_EQ(format_progress("train", 0.5, "x", 80), "train [###############...............]  50%  x");
  EXPECT_EQ(format_progress("train", 1, "x", 21), "train [####] 100%  x");
  EXPECT_EQ(format_progress("train", 0.42, "loss 3.2", 21), "train  42%  loss 3.2");
}

}  // namespace
}  // namespace eyrie
