// When cuDNN's kernel takes the prefix; that its numbers are right is among the cases. Needs a Hopper GPU and libcudnn.
#include <dlfcn.h>

#include "attention/gpu/cudnn_prefix.cuh"
#include "attention/suffix_problem_cases.h"
#include "testing/gpu.h"

namespace eyrie::gpu {
namespace {

class GpuCudnnPrefix : public testing::GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    if (cuda::device_properties().compute_capability != 90) GTEST_SKIP() << "needs a Hopper GPU";
    if (!dlopen("libcudnn.so.9", RTLD_NOW)) GTEST_SKIP() << "needs libcudnn.so.9";
  }
};

TEST_F(GpuCudnnPrefix, TakesAWholeSequenceAndNothingElse) {
  const SuffixShape shape = {{301}, 7, 1, 128, 0, RowChoice::all, 0, false, true};
  SuffixProblem made = SuffixProblem(shape.name(), shape, DType::bf16).copied({DType::bf16, Device::cuda});
  Exec exec(Device::cuda);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  EXPECT_TRUE(run_cudnn_prefix(exec, made.problem, o, lse));

  const Buffer memory(DType::f32, {302, 7}, Device::cuda);
  EXPECT_FALSE(run_cudnn_prefix(exec, made.problem, o, memory.tensor().slice(1, 302))) << "lse at 28 bytes";
  SuffixAttention packed = made.problem;
  packed.whole_sequence = false;
  EXPECT_FALSE(run_cudnn_prefix(exec, packed, o, lse));
}

}  // namespace
}  // namespace eyrie::gpu
