#include "ops/norm.h"

#include <gtest/gtest.h>

#include "testing/poison.h"
#include "testing/threads.h"

namespace eyrie {
namespace {

using testing::CaseMemory;

// The sums over rows are cut by the rows, not by the threads.
TEST(Norm, GradientsDoNotDependOnTheThreads) {
  constexpr int64_t kRows = 1111, kWidth = 96;
  CaseMemory memory("norm threads");
  const Tensor x = memory.normal("x", {kRows, kWidth}), d_y = memory.normal("d_y", {kRows, kWidth});
  const Tensor weight = memory.normal("weight", {kWidth});
  std::vector<Tensor> d_x, d_weight;
  for (const int count : {1, 2, 3}) {
    const testing::Threads threads(count);
    d_x.push_back(memory.output("d_x", {kRows, kWidth}));
    d_weight.push_back(memory.zeros("d_weight", {kWidth}));
    Exec exec;
    rms_norm_backward(
        exec, {.x = x, .weight = weight, .eps = 1e-5f, .d_y = d_y, .d_x = d_x.back(), .d_weight = d_weight.back()});
    EXPECT_TRUE(testing::compare_bits("d_x", d_x.back(), d_x.front()).passed()) << count << " threads";
    EXPECT_TRUE(testing::compare_bits("d_weight", d_weight.back(), d_weight.front()).passed()) << count << " threads";
  }
}

}  // namespace
}  // namespace eyrie
