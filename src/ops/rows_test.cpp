#include "ops/rows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "testing/poison.h"
#include "testing/threads.h"

namespace eyrie {
namespace {

using testing::CaseMemory;
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

class RowOps : public ::testing::TestWithParam<int> {
 protected:
  const testing::Threads threads_{GetParam()};
  Exec exec_;
  CaseMemory memory_{"rows"};
};
INSTANTIATE_TEST_SUITE_P(Threads, RowOps, ::testing::Values(1, 2, 3));

TEST_P(RowOps, GatherAndScatterMoveThemBothWays) {
  const Tensor from = left_columns(memory_.normal("from", {kRows, kWidth + 3}));
  std::vector<int32_t> index = every_other_backwards();
  const Tensor list = memory_.integers("index", index);
  const Tensor some = left_columns(memory_.output("some", {list.dim(0), kWidth + 5}));
  const Tensor back = memory_.output("back", {kRows, kWidth});
  gather_rows(exec_, {.from = from, .index = list, .to = some});
  scatter_rows(exec_, {.from = some, .index = list, .to = back});
  for (size_t i = 0; i < index.size(); ++i)
    ASSERT_EQ(to_doubles(some[static_cast<int64_t>(i)]), to_doubles(from[index[i]])) << i;
  for (int64_t row = 0; row < kRows; ++row)
    ASSERT_EQ(to_doubles(back[row]), row % 2 ? std::vector<double>(kWidth) : to_doubles(from[row])) << row;
  EXPECT_TRUE(memory_.broken_guards().empty());
}

TEST_P(RowOps, AddAddsWhereRowsHaveAnyStride) {
  const Tensor from = left_columns(memory_.normal("from", {kRows, kWidth + 1}));
  const Tensor wide = memory_.normal("to", {kRows, kWidth + 2}), to = left_columns(wide);
  const Buffer before = Buffer::copy_of(wide);
  add(exec_, {.from = from, .to = to});
  const auto term = from.view<float, 2>(), found = wide.view<float, 2>(), old = before.tensor().view<float, 2>();
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t i = 0; i < kWidth + 2; ++i)
      ASSERT_EQ(found(r, i), i < kWidth ? old(r, i) + term(r, i) : old(r, i)) << r << " " << i;
}

// The blocks are part of what a training run reports: another order of the sums is another number.
TEST_P(RowOps, SumOfSquaresAddsBlocksInTheirOrder) {
  constexpr int64_t kBlock = 1 << 14, kElements = 3 * kBlock + 77;
  const Tensor x = memory_.normal("x", {kElements});
  double expected = 0;
  for (int64_t begin = 0; begin < kElements; begin += kBlock) {
    double block = 0;
    for (int64_t i = begin; i < std::min(begin + kBlock, kElements); ++i)
      block += std::pow(static_cast<double>(x.as<float>()[i]), 2);
    expected += block;
  }
  EXPECT_EQ(sum_of_squares(exec_, x), expected);
  EXPECT_EQ(sum_of_squares(exec_, x.slice(0, 0)), 0);
}

TEST_P(RowOps, AllocateNothingAfterTheFirstCall) {
  const Tensor x = memory_.normal("x", {1 << 16});
  sum_of_squares(exec_, x);
  const int64_t before = exec_.scratch.reserved_bytes();
  sum_of_squares(exec_, x);
  EXPECT_EQ(exec_.scratch.reserved_bytes(), before);
}

}  // namespace
}  // namespace eyrie
