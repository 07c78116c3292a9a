// A dumped step whose attention alone runs on a GPU. The dump's heads are 8 wide, which `dense` alone takes there: in
// f32 by its name, in bf16 by `auto`.
#include "train/step_attention.h"

#include <algorithm>

#include "testing/gpu.h"
#include "train/replay.h"

namespace eyrie {
namespace {

const ReplayOptions kOnGpu = {.directory = std::string(EYRIE_SOURCE_DIR) + "/tests/data/ttt/plain",
                              .attention = {"dense", "auto"},
                              .attention_device = Device::cuda,
                              .normalize = Normalize::step};

TEST(StepAttention, WithoutAGpuTheReasonIsTheError) {
  const std::string reason = cuda::why_no_device();
  if (reason.empty()) GTEST_SKIP() << "there is a device";
  Exec exec;
  try {
    replay(exec, kOnGpu);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_EQ(error.what(), "cuda: " + reason);
  }
}

class GpuReplay : public testing::GpuTest {};

TEST_F(GpuReplay, TheStepHasTheSameGradients) {
  Exec exec;
  const Replay found = replay(exec, kOnGpu);
  ASSERT_EQ(found.runs.size(), 3u);
  EXPECT_EQ(found.runs[1].attention, "dense on cuda");
  for (const TensorDifference& one : found.runs[1].differences) EXPECT_LE(one.relative_l2, 5e-6) << one.tensor;
  double largest = 0;
  for (const TensorDifference& one : found.runs[2].differences) largest = std::max(largest, one.relative_l2);
  EXPECT_LE(largest, 5e-2);
  EXPECT_GE(largest, 1e-4) << "bf16 shows";
}

}  // namespace
}  // namespace eyrie
