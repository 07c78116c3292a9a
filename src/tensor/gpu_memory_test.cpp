// Tensors on a GPU: copies each way, scratch, and what a program without one says.
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "tensor/exec.h"
#include "testing/compare.h"
#include "testing/gpu.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

class GpuMemory : public testing::GpuTest {};

TEST(Device, ATensorElsewhereIsAnErrorThatNamesArgumentExpectedAndFound) {
  const ConstTensor elsewhere(nullptr, DType::f32, {2}, Device::cuda);
  try {
    expect_device("q", elsewhere, Device::cpu);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_STREQ(error.what(), "q: expected a tensor on cpu, found one on cuda");
  }
}

TEST(Device, WhereThereIsNoneEveryDoorSaysWhy) {
  const std::string reason = cuda::why_no_device();
  if (reason.empty()) GTEST_SKIP() << "there is a device";
  for (const auto& door : {+[] { Exec exec(Device::cuda); }, +[] { Buffer made(DType::f32, {4}, Device::cuda); }}) try {
      door();
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::device);
      EXPECT_EQ(error.what(), "cuda: " + reason);
    }
}

TEST(Scratch, AReserveIsTheOnlyAllocation) {
  Scratch scratch;
  const ScratchScope scope(scratch);
  scratch.take(DType::u8, {100});
  scratch.reserve(40 << 20);
  const int64_t before = scratch.allocations();
  for (int i = 0; i < 40; ++i) scratch.take(DType::u8, {1 << 20});
  EXPECT_EQ(scratch.allocations(), before);
  scratch.reserve(1);
  EXPECT_LE(scratch.allocations(), before + 1);
}

TEST_F(GpuMemory, CopiesGoThereAndBackInEveryFloatTypeAndLayout) {
  testing::CaseMemory memory("gpu_memory");
  const Tensor values = memory.normal("values", {7, 5, 6});
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const Buffer there = Buffer::copy_of(values, dtype, Device::cuda), expected = Buffer::copy_of(values, dtype);
    EXPECT_TRUE(testing::compare_bits("copy", Buffer::copy_of(there), expected).passed());
    const Buffer widened = Buffer::copy_of(there, DType::f32, Device::cuda);
    EXPECT_TRUE(testing::compare_bits("widened", widened, Buffer::copy_of(expected, DType::f32)).passed());
    Tensor part = there.tensor();  // columns 2..3 of dimension 1
    part.data = static_cast<unsigned char*>(part.data) + 2 * part.strides[1] * size_bytes(dtype);
    part.shape.dims[1] = 2;
    Tensor expected_part = expected.tensor();
    expected_part.data = static_cast<unsigned char*>(expected_part.data) + 2 * part.strides[1] * size_bytes(dtype);
    expected_part.shape.dims[1] = 2;
    EXPECT_TRUE(testing::compare_bits("part", Buffer::copy_of(part), expected_part).passed());
  }
}

TEST_F(GpuMemory, PoisonGuardsAndZerosAreThere) {
  testing::CaseMemory memory("gpu_guards", Device::cuda);
  const Tensor poisoned = memory.output("poisoned", {3, 4}), zeros = memory.zeros("zeros", {3, 4});
  for (const double value : testing::to_doubles(poisoned)) EXPECT_TRUE(std::isnan(value));
  for (const double value : testing::to_doubles(zeros)) EXPECT_EQ(value, 0);
  EXPECT_TRUE(memory.broken_guards().empty());
  Tensor behind(zeros.as<float>() + zeros.elements(), DType::f32, {1}, Device::cuda);
  fill_zero(behind);
  ASSERT_EQ(memory.broken_guards().size(), 1u);
  EXPECT_EQ(memory.broken_guards()[0].tensor, "zeros");
}

TEST_F(GpuMemory, ScratchOfAnExecLiesThereAndStopsAllocating) {
  Exec exec(Device::cuda);
  EXPECT_NE(exec.stream.handle(), nullptr);
  exec.scratch.reserve(3 << 20);
  const int64_t before = exec.scratch.allocations();
  for (int round = 0; round < 3; ++round) {
    const ScratchScope scope(exec.scratch);
    const Tensor a = exec.scratch.take(DType::f32, {1000}), b = exec.scratch.take(DType::f32, {1 << 19});
    EXPECT_EQ(a.device, Device::cuda);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data) % 256, 0u);
    fill_zero(b);
  }
  EXPECT_EQ(exec.scratch.allocations(), before);
}

}  // namespace
}  // namespace eyrie
