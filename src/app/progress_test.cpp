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

TEST(Progress, FitsTheTerminalTheTimeLeftFirst) {
  const std::vector<std::string> details = {"2:43 left", "step 142/1400", "loss 3.210", "acc 0.612", "8123 tok/s"};
  for (int width = 1; width < 140; ++width) {
    const std::string line = format_progress("train", 0.42, details, width);
    EXPECT_LT(line.size(), std::max(width, 1));
    EXPECT_EQ(line.find("2:43 left") != std::string::npos, width >= 22) << width;
    EXPECT_EQ(line.find("[##") != std::string::npos, width >= 30) << width;
  }
  EXPECT_EQ(format_progress("train", 0.42, details, 40), "train [######.........]  42%  2:43 left");
  EXPECT_EQ(format_progress("train", 0.42, details, 60), "train [###.....]  42%  2:43 left  step 142/1400  loss 3.210");
  EXPECT_EQ(format_progress("train", 0.42, details, 80),
            "train [##...]  42%  2:43 left  step 142/1400  loss 3.210  acc 0.612  8123 tok/s");
  EXPECT_EQ(format_progress("train", 0.5, {"x"}, 80), "train [###############...............]  50%  x");
  EXPECT_EQ(format_progress("train", 1, {"x"}, 22), "train [#####] 100%  x");
  EXPECT_EQ(format_progress("train", 0.42, {"loss 3.2"}, 21), "train  42%  loss 3.2");
}

}  // namespace
}  // namespace eyrie
