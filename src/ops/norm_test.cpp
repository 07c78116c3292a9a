#include "ops/norm.h"

#include <gtest/gtest.h>

#include "testing/gpu.h"
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

class GpuNorm : public testing::GpuTest {};

// So many rows that each group of threads sums the weight's gradient over several.
TEST_F(GpuNorm, GradientsOfManyRowsAreTheCpusAndTheSameEveryTime) {
  for (const Shape& shape : {Shape{801, 1028}, Shape{6500, 260}, Shape{13000, 16}}) {
    Exec cpu, gpu(Device::cuda);
    CaseMemory here("norm rows", cpu), there("norm rows", gpu);
    const auto gradients = [&](Exec& exec, CaseMemory& memory) {
      const RmsNormBackward op = {.x = memory.normal("x", shape),
                                  .weight = memory.normal("weight", {shape[1]}),
                                  .eps = 1e-5f,
                                  .d_y = memory.normal("d_y", shape),
                                  .d_x = memory.output("d_x", shape),
                                  .d_weight = memory.zeros("d_weight", {shape[1]})};
      rms_norm_backward(exec, op);
      return op;
    };
    const RmsNormBackward expected = gradients(cpu, here), found = gradients(gpu, there), again = gradients(gpu, there);
    for (const auto& result : {testing::compare("d_x", found.d_x, expected.d_x),
                               testing::compare("d_weight", found.d_weight, expected.d_weight),
                               testing::compare_bits("d_x again", again.d_x, found.d_x),
                               testing::compare_bits("d_weight again", again.d_weight, found.d_weight)})
      EXPECT_TRUE(result.passed()) << result.text();
  }
}

}  // namespace
}  // namespace eyrie
