#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "tensor/buffer.h"

namespace eyrie {
namespace {

float exact_round(float value, int mantissa_bits, int min_exponent) {  // to nearest even on a grid, through double
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), min_exponent);
  const double unit = std::ldexp(1.0, exponent - mantissa_bits);
  return static_cast<float>(std::nearbyint(value / unit) * unit);
}

TEST(DType, SixteenBitFloatsRoundToNearestEven) {
  RandomStream stream("dtype");
  for (int i = 0; i < 20000; ++i) {
    const float value = static_cast<float>(stream.normal() * std::exp2(static_cast<double>(stream.below(40)) - 28));
    ASSERT_EQ(to_float(to_bf16(value)), exact_round(value, 7, -126)) << value;
    ASSERT_EQ(to_float(to_f16(value)), exact_round(value, 10, -14)) << value;
  }
  for (const float value : {0.0f, -0.0f, 65504.0f, 0x1p-24f, -0x1p-14f}) EXPECT_EQ(to_float(to_f16(value)), value);
  EXPECT_TRUE(std::isinf(to_float(to_f16(65520.0f))));
  EXPECT_TRUE(std::isnan(to_float(to_f16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Tensor, SlicesSelectAndReshapeSeeTheSameElements) {
  Buffer buffer(DType::f32, {3, 4, 5});
  float* data = buffer.tensor().as<float>();
  for (int i = 0; i < 60; ++i) data[i] = static_cast<float>(i);
  const ConstTensor part = buffer.tensor().slice(1, 3);
  EXPECT_EQ((part.view<float, 3>()(1, 2, 3)), 40 + 10 + 3);
  EXPECT_EQ((part[1].view<float, 2>()(0, 4)), 44);
  EXPECT_EQ((buffer.tensor().reshape({12, 5}).view<float, 2>()(11, 4)), 59);
  EXPECT_THROW(part.as<bf16>(), Error);
  EXPECT_THROW(part.reshape({7, 5}), Error);
}

// No memory of a GPU stands behind it: only a reader would notice.
TEST(Tensor, OfADeviceIsNotReadHere) {
  float value = 0;
  const Tensor there(&value, DType::f32, {1, 1}, Device::cuda), here(&value, DType::f32, {1, 1});
  EXPECT_EQ(there.as<float>(Device::cuda), &value);
  EXPECT_EQ((there.view<float, 2>(Device::cuda).data), &value);
  const auto message = [](const auto& use) -> std::string {
    try {
      use();
    } catch (const Error& error) {
      return (error.kind() == ErrorKind::internal ? "" : "another kind: ") + std::string(error.what());
    }
    return "no error";
  };
  EXPECT_EQ(message([&] { there.as<float>(); }), "tensor: a [1, 1] tensor on cuda cannot be read on cpu");
  EXPECT_EQ(message([&] { there.view<float, 2>(); }), "tensor: a [1, 1] tensor on cuda cannot be read on cpu");
  EXPECT_EQ(message([&] { here.as<float>(Device::cuda); }), "tensor: a [1, 1] tensor on cpu cannot be read on cuda");
  EXPECT_THROW(copy(there, here), Error);
  EXPECT_THROW(copy(here, there), Error);
  EXPECT_THROW(fill_zero(there), Error);
}

TEST(Tensor, MessagesNameArgumentExpectedAndFound) {
  Buffer buffer(DType::bf16, {3, 4});
  try {
    expect_shape("query", buffer, {3, -1, 8});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "query: expected shape [3, any, 8], found [3, 4]");
  }
  try {
    expect_dtype("query", buffer, {DType::f32, DType::f16});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "query: expected f32 or f16, found bf16");
  }
}

TEST(Scratch, StopsGrowingAndGivesBack) {
  Scratch scratch;
  const void* first = nullptr;
  int64_t after_first_round = 0;
  for (int round = 0; round < 4; ++round) {
    ScratchScope outer(scratch);
    const Tensor a = scratch.take(DType::f32, {1000});
    {
      ScratchScope inner(scratch);
      scratch.take(DType::f32, {3, 1 << 20});
    }
    const Tensor b = scratch.take(DType::u8, {1});
    EXPECT_NE(a.data, b.data);
    if (round == 0) after_first_round = scratch.growths();
    if (round == 1) first = a.data;
    if (round > 1) {
      EXPECT_EQ(a.data, first);
    }
  }
  EXPECT_EQ(scratch.growths(), after_first_round);
}

// What one run took in pieces, the next may take in one.
TEST(Scratch, IsOnePieceWhenAllIsGivenBack) {
  constexpr int64_t kTaken = int64_t{3} << 20;
  Scratch scratch;
  {
    const ScratchScope scope(scratch);
    for (int i = 0; i < 9; ++i) scratch.take(DType::u8, {kTaken});
  }
  const int64_t growths = scratch.growths(), bytes = scratch.reserved_bytes();
  EXPECT_GT(growths, 1);
  EXPECT_LE(bytes, 3 * 9 * kTaken);
  const ScratchScope scope(scratch);
  scratch.take(DType::u8, {bytes});
  EXPECT_EQ(scratch.growths(), growths);
  EXPECT_EQ(scratch.reserved_bytes(), bytes);
  scratch.take(DType::u8, {1});
  EXPECT_EQ(scratch.growths(), growths + 1) << "a run that needs more says so";
}

TEST(Scratch, AfterAReserveARunDoesNotGrow) {
  constexpr int64_t kMiB = 1 << 20;
  Scratch scratch;
  const ScratchScope scope(scratch);
  scratch.reserve(10 * kMiB);
  for (int i = 0; i < 10; ++i) scratch.take(DType::u8, {kMiB});
  EXPECT_EQ(scratch.growths(), 0);
  const Tensor last = scratch.take(DType::u8, {kMiB});
  *last.as<uint8_t>() = 77;
  const int64_t growths = scratch.growths(), bytes = scratch.reserved_bytes();
  scratch.reserve(40 * kMiB);  // behind what is taken
  scratch.take(DType::u8, {40 * kMiB});
  EXPECT_EQ(scratch.growths(), growths);
  EXPECT_LE(scratch.reserved_bytes(), bytes + 41 * kMiB);
  EXPECT_EQ(*last.as<uint8_t>(), 77);
}

}  // namespace
}  // namespace eyrie
