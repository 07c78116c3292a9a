#include "tensor/finite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/buffer.h"

namespace eyrie {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

std::string found_in(DType dtype, const Shape& shape, std::initializer_list<std::pair<int64_t, float>> values) {
  const Buffer tensor = Buffer::zeros(DType::f32, shape);
  for (const auto& [place, value] : values) tensor.tensor().as<float>()[place] = value;
  return why_not_finite(Buffer::copy_of(tensor, dtype));
}

TEST(Finite, TheFirstPlaceAndTheCountAreNamed) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    EXPECT_EQ(found_in(dtype, {2, 3, 4}, {{0, 60000.0f}, {23, -60000.0f}, {5, -1e-5f}}), "") << name(dtype);
    EXPECT_EQ(found_in(dtype, {2, 3, 4}, {{17, kNan}}),
              "expected finite values, found nan at [1, 1, 1] (1 of 24 not finite)");
    EXPECT_EQ(found_in(dtype, {7}, {{6, kNan}, {5, -kInfinity}, {0, 1.0f}}),
              "expected finite values, found inf at [5] (2 of 7 not finite)");
    EXPECT_EQ(found_in(dtype, {3, 2}, {{4, kInfinity}}),
              "expected finite values, found inf at [2, 0] (1 of 6 not finite)");
  }
}

TEST(Finite, NothingIsFoundAtTheEdgesOfAType) {
  EXPECT_EQ(found_in(DType::f32, {2}, {{0, std::numeric_limits<float>::max()}, {1, 1e-45f}}), "");
  EXPECT_EQ(found_in(DType::bf16, {2}, {{0, 3.38e38f}, {1, 1e-40f}}), "");
  EXPECT_EQ(found_in(DType::f16, {2}, {{0, 65504.0f}, {1, 6e-8f}}), "");
  EXPECT_EQ(found_in(DType::f32, {0, 3}, {}), "");
  const int64_t all_ones = -1;
  EXPECT_EQ(why_not_finite({&all_ones, DType::i64, {1}}), "") << "only floats can be NaN";
}

// Large enough for threads: every part of it is read.
TEST(Finite, EveryElementOfALargeTensorIsRead) {
  const int64_t rows = 1031, columns = 517;
  const Buffer tensor = Buffer::zeros(DType::bf16, {rows, columns});
  for (const int64_t place : {int64_t{0}, int64_t{1}, rows * columns / 2, rows * columns - 1}) {
    bf16& value = tensor.tensor().as<bf16>()[place];
    value = to_bf16(kNan);
    EXPECT_EQ(why_not_finite(tensor), "expected finite values, found nan at [" + std::to_string(place / columns) +
                                          ", " + std::to_string(place % columns) + "] (1 of 533027 not finite)");
    value = to_bf16(1.0f);
  }
}

}  // namespace
}  // namespace eyrie
