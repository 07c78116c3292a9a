#include "ops/rows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "testing/gpu.h"
#include "testing/poison.h"
#include "testing/threads.h"

namespace eyrie {
namespace {

using testing::CaseMemory;
using testing::on_cpu;
using testing::to_doubles;

constexpr int64_t kRows = 301, kWidth = 129;  // enough for the threads to share it

Tensor left_columns(Tensor wide) {
  wide.shape.dims[1] = kWidth;
  return wide;
}

std::vector<int32_t> every_other_backwards() {
  std::vector<int32_t> list;
  for (int64_t i = kRows - 1; i >= 0; i -= 2) list.push_back(static_cast<int32_t>(i));
  return list;
}

// to[i] = from[index[i]], and back among zeros.
void gather_and_scatter(Exec& exec) {
  CaseMemory memory("rows", exec);
  const Tensor from = left_columns(memory.normal("from", {kRows, kWidth + 3}));
  const std::vector<int32_t> index = every_other_backwards();
  const Tensor list = memory.integers("index", index);
  const Tensor some = left_columns(memory.output("some", {list.dim(0), kWidth + 5}));
  const Tensor back = memory.output("back", {kRows, kWidth});
  gather_rows(exec, {.from = from, .index = list, .to = some});
  scatter_rows(exec, {.from = some, .index = list, .to = back});
  const Buffer source = on_cpu(from), gathered = on_cpu(some), scattered = on_cpu(back);
  for (size_t i = 0; i < index.size(); ++i)
    ASSERT_EQ(to_doubles(gathered.tensor()[static_cast<int64_t>(i)]), to_doubles(source.tensor()[index[i]])) << i;
  for (int64_t row = 0; row < kRows; ++row)
    ASSERT_EQ(to_doubles(scattered.tensor()[row]),
              row % 2 ? std::vector<double>(kWidth) : to_doubles(source.tensor()[row]))
        << row;
  EXPECT_TRUE(memory.broken_guards().empty());
}

// In f32, rounded to what `to` is.
void add_strided(Exec& exec) {
  CaseMemory memory("rows", exec);
  const Tensor from = left_columns(memory.normal("from", {kRows, kWidth + 1}));
  const Tensor wide = memory.normal("to", {kRows, kWidth + 2}), to = left_columns(wide);
  const Buffer expected = Buffer::copy_of(on_cpu(wide), DType::f32);
  add(exec, {.from = from, .to = to});
  const Buffer terms = Buffer::copy_of(on_cpu(from), DType::f32);
  const auto sum = expected.tensor().view<float, 2>(), term = terms.tensor().view<float, 2>();
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t i = 0; i < kWidth; ++i) sum(r, i) += term(r, i);
  const auto same = testing::compare_bits("to", wide, Buffer::copy_of(expected, wide.dtype));
  EXPECT_TRUE(same.passed()) << same.text();
  EXPECT_TRUE(memory.broken_guards().empty());
}

void convert_strided(Exec& exec, DType from_dtype, DType to_dtype, int64_t width) {
  CaseMemory memory("convert", exec);
  const Tensor from = memory.normal("from", {7, width}, 1.0, from_dtype);
  Tensor to = memory.output("to", {7, width + 8}, to_dtype);
  to.shape.dims[1] = width;
  convert(exec, {.from = from, .to = to});
  const auto same = testing::compare_bits("to", to, Buffer::copy_of(on_cpu(from), to_dtype));
  EXPECT_TRUE(same.passed()) << same.text();
  EXPECT_TRUE(memory.broken_guards().empty());
}

constexpr int64_t kBlock = 1 << 14;

double sum_by_blocks(const Tensor& x) {
  double sum = 0;
  for (int64_t begin = 0; begin < x.elements(); begin += kBlock) {
    double block = 0;
    for (int64_t i = begin; i < std::min(begin + kBlock, x.elements()); ++i)
      block += std::pow(static_cast<double>(x.as<float>()[i]), 2);
    sum += block;
  }
  return sum;
}

class RowOps : public ::testing::TestWithParam<int> {
 protected:
  const testing::Threads threads_{GetParam()};
  Exec exec_;
  CaseMemory memory_{"rows"};
};
INSTANTIATE_TEST_SUITE_P(Threads, RowOps, ::testing::Values(1, 2, 3));

TEST_P(RowOps, GatherAndScatterMoveThemBothWays) { gather_and_scatter(exec_); }
TEST_P(RowOps, AddAddsWhereRowsHaveAnyStride) { add_strided(exec_); }
TEST_P(RowOps, ConvertCopiesF32) { convert_strided(exec_, DType::f32, DType::f32, 33); }

// The blocks are part of what a training run reports: another order of the sums is another number.
TEST_P(RowOps, SumOfSquaresAddsBlocksInTheirOrder) {
  const Tensor x = memory_.normal("x", {3 * kBlock + 77});
  EXPECT_EQ(sum_of_squares(exec_, x), sum_by_blocks(x));
  EXPECT_EQ(sum_of_squares(exec_, x.slice(0, 0)), 0);
}

TEST_P(RowOps, AllocateNothingAfterTheFirstCall) {
  const Tensor x = memory_.normal("x", {1 << 16});
  sum_of_squares(exec_, x);
  const int64_t before = exec_.scratch.reserved_bytes();
  sum_of_squares(exec_, x);
  EXPECT_EQ(exec_.scratch.reserved_bytes(), before);
}

class GpuRowOps : public testing::GpuTest, public ::testing::WithParamInterface<DType> {};
INSTANTIATE_TEST_SUITE_P(DTypes, GpuRowOps, ::testing::Values(DType::f32, DType::bf16));

TEST_P(GpuRowOps, GatherAndScatterMoveThemBothWays) {
  Exec exec(Device::cuda, GetParam());
  gather_and_scatter(exec);
}

TEST_P(GpuRowOps, AddAddsWhereRowsHaveAnyStride) {
  Exec exec(Device::cuda, GetParam());
  add_strided(exec);
}

TEST_P(GpuRowOps, ConvertRoundsAsTheCpuDoes) {
  Exec exec(Device::cuda);
  for (const DType to : {DType::f32, DType::bf16})
    for (const int64_t width : {33, 64, 4104}) convert_strided(exec, GetParam(), to, width);
}

class GpuSumOfSquares : public testing::GpuTest {};

TEST_F(GpuSumOfSquares, IsTheCpusInF64AndTheSameEveryTime) {
  Exec exec(Device::cuda);
  for (const int64_t elements : {int64_t{0}, int64_t{1}, int64_t{77}, kBlock, 1100 * kBlock + 77}) {
    CaseMemory memory("squares", exec), here("squares");
    const Tensor x = memory.normal("x", {elements}, 1.0, DType::f32);
    const double expected = sum_by_blocks(here.normal("x", {elements})), found = sum_of_squares(exec, x);
    EXPECT_NEAR(found, expected, 1e-13 * expected) << elements;
    EXPECT_EQ(sum_of_squares(exec, x), found) << elements;
  }
}

}  // namespace
}  // namespace eyrie
