#include "attention/cpu/tile_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "testing/poison.h"

namespace eyrie::tiles {
namespace {

Matrix matrix_of(const Tensor& tensor) { return {tensor.as<float>(), tensor.dim(0), tensor.dim(1), tensor.strides[0]}; }

double exact(const ConstMatrix& a, const ConstMatrix& b, int64_t row, int64_t column) {
  double sum = 0;
  for (int64_t i = 0; i < a.columns; ++i)
    sum += static_cast<double>(a.data[row * a.row_step + i * a.column_step]) * b.row(i)[column];
  return sum;
}

// Every remainder of the register tile, with a as it lies and transposed.
TEST(TileLoops, ProductsOfEveryHeightAndWidth) {
  for (int rows = 1; rows <= 13; ++rows)
    for (const int columns : {16, 32, 48, 64, 80, 112}) {
      testing::CaseMemory memory("product");
      const int steps = rows % 5 + 1;
      const ConstMatrix b = matrix_of(memory.normal("b", {steps, columns}));
      const Matrix set = matrix_of(memory.output("set", {rows, columns}));
      const Tensor sum = memory.normal("sum", {rows, columns});
      const std::vector<double> before = testing::to_doubles(sum);
      const ConstMatrix a = matrix_of(memory.normal("a", {rows, steps}));
      const ConstMatrix turned = ConstMatrix(matrix_of(memory.normal("turned", {steps, rows}))).transposed();
      set_product(set, a, b);
      add_product(matrix_of(sum), turned, b);
      for (int row = 0; row < rows; ++row)
        for (int column = 0; column < columns; ++column) {
          EXPECT_NEAR(set.row(row)[column], exact(a, b, row, column), 1e-5);
          EXPECT_NEAR(matrix_of(sum).row(row)[column],
                      before[static_cast<size_t>(row * columns + column)] + exact(turned, b, row, column), 1e-5);
        }
      EXPECT_TRUE(memory.broken_guards().empty());
    }
}

// gradient() with lse 0 is 2^(factor score): the exponential that both passes share.
std::vector<float> powers_of_two(const std::vector<float>& exponents) {
  std::vector<float> score = exponents, d_p(exponents.size()), zero(exponents.size(), 0.0f);
  const auto lanes = static_cast<int64_t>(exponents.size());
  gradient({{score.data(), 1, lanes, lanes}, {d_p.data(), 1, lanes, lanes}, {}, 1, zero.data(), zero.data()});
  return score;
}

TEST(TileLoops, PowersOfTwoAreRightToTheLastBits) {
  double worst = 0;
  for (float first = -126; first < 127; first += 0.37f) {
    std::vector<float> exponents;
    for (int i = 0; i < 16; ++i) exponents.push_back(std::max(first + 0.021f * static_cast<float>(i), -126.0f));
    const std::vector<float> found = powers_of_two(exponents);
    for (size_t i = 0; i < found.size(); ++i) {
      const double expected = std::exp2(static_cast<double>(exponents[i]));
      worst = std::max(worst, std::abs(found[i] - expected) / expected);
    }
  }
  EXPECT_LT(worst, 1.2e-7);
}

TEST(TileLoops, PowersOfTwoAtTheEdges) {
  std::vector<float> exponents(16, 0.0f);
  exponents[1] = -std::numeric_limits<float>::infinity();
  exponents[2] = std::numeric_limits<float>::quiet_NaN();
  exponents[3] = -127;
  exponents[4] = std::numeric_limits<float>::lowest();
  const std::vector<float> found = powers_of_two(exponents);
  EXPECT_EQ(found[0], 1.0f);
  EXPECT_EQ(found[1], 0.0f);
  EXPECT_TRUE(std::isnan(found[2]));
  EXPECT_EQ(found[3], 0.0f);
  EXPECT_EQ(found[4], 0.0f);
}

}  // namespace
}  // namespace eyrie::tiles
