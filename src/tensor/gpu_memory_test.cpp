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

Buffer ones_of(int64_t elements) {
  Buffer made(DType::f32, {elements});
  std::fill_n(made.tensor().as<float>(), elements, 1.0f);
  return made;
}

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

TEST_F(GpuMemory, CopiesGoThereAndBackInEveryFloatTypeAndLayout) {
  testing::CaseMemory memory("gpu_memory");
  Exec exec(Device::cuda);
  const Tensor values = memory.normal("values", {7, 5, 6});
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const Buffer there = to_device(exec, values, dtype), expected = Buffer::copy_of(values, dtype);
    EXPECT_TRUE(testing::compare_bits("copy", to_cpu(exec, there), expected).passed());
    Tensor part = there.tensor();  // columns 2..3 of dimension 1
    part.data = static_cast<unsigned char*>(part.data) + 2 * part.strides[1] * size_bytes(dtype);
    part.shape.dims[1] = 2;
    Tensor expected_part = expected.tensor();
    expected_part.data = static_cast<unsigned char*>(expected_part.data) + 2 * part.strides[1] * size_bytes(dtype);
    expected_part.shape.dims[1] = 2;
    EXPECT_TRUE(testing::compare_bits("part", to_cpu(exec, part), expected_part).passed());
  }
}

// Each of these stands in the stream behind the one before it; nothing waits until all are asked for.
TEST_F(GpuMemory, CopiesAndZerosAreInTheOrderOfTheExec) {
  constexpr int64_t kElements = 1 << 24;
  Exec exec(Device::cuda);
  const Buffer ones = to_device(exec, ones_of(kElements), DType::f32);
  const Buffer a(DType::f32, {kElements}, Device::cuda), b(DType::f32, {kElements}, Device::cuda);
  const Buffer found(DType::f32, {2});
  copy(exec, ones, a);
  copy(exec, a, b);
  zero(exec, a);
  copy(exec, b.tensor().slice(kElements - 1, kElements), found.tensor().slice(0, 1));
  copy(exec, a.tensor().slice(kElements - 1, kElements), found.tensor().slice(1, 2));
  exec.wait();
  EXPECT_EQ(testing::to_doubles(found), (std::vector<double>{1, 0}));
}

TEST_F(GpuMemory, WhatHasToBeConvertedIsRefused) {
  Exec exec(Device::cuda);
  const Buffer f32(DType::f32, {4}, Device::cuda), bf16(DType::bf16, {4}, Device::cuda);
  EXPECT_THROW(copy(exec, f32, bf16), Error);
}

TEST_F(GpuMemory, PoisonGuardsAndZerosAreThere) {
  testing::CaseMemory memory("gpu_guards", Device::cuda);
  const Tensor poisoned = memory.output("poisoned", {3, 4}), zeros = memory.zeros("zeros", {3, 4});
  for (const double value : testing::to_doubles(poisoned)) EXPECT_TRUE(std::isnan(value));
  for (const double value : testing::to_doubles(zeros)) EXPECT_EQ(value, 0);
  EXPECT_TRUE(memory.broken_guards().empty());
  Exec exec(Device::cuda);
  zero(exec, Tensor(zeros.as<float>(Device::cuda) + zeros.elements(), DType::f32, {1}, Device::cuda));
  ASSERT_EQ(memory.broken_guards().size(), 1u);
  EXPECT_EQ(memory.broken_guards()[0].tensor, "zeros");
}

TEST_F(GpuMemory, ScratchOfAnExecLiesThereAndStopsAllocating) {
  Exec exec(Device::cuda);
  EXPECT_NE(exec.stream.handle(), nullptr);
  exec.scratch.reserve(3 << 20);
  for (int round = 0; round < 3; ++round) {
    const ScratchScope scope(exec.scratch);
    const Tensor a = exec.scratch.take(DType::f32, {1000}), b = exec.scratch.take(DType::f32, {1 << 19});
    EXPECT_EQ(a.device, Device::cuda);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data) % 256, 0u);
    zero(exec, b);
  }
  EXPECT_EQ(exec.scratch.growths(), 0);
}

}  // namespace
}  // namespace eyrie
