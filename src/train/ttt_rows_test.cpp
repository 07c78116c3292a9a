// Every index of a micro-batch against the rule of spec §3, row by row.
#include "train/ttt_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tensor/exec.h"

namespace eyrie {
namespace {

std::vector<int32_t> values(const ConstTensor& tensor) {
  return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
}

TEST(TttRows, FollowTheRuleOfTheRow) {
  // Two sequences of 8 and 5 tokens, the spans 3..7 and 10..12, a third without supervision.
  const std::vector<uint8_t> mask = {0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0};
  const std::vector<int32_t> ends = {0, 8, 13, 15};
  std::vector<int32_t> ids(mask.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = 100 + static_cast<int32_t>(i);
  Exec exec;
  HostArrays arrays;
  const TttRows rows = make_ttt_rows(exec, arrays, ids, supervise(mask, ends, 3), std::vector<int64_t>{2, 2, 5});
  ASSERT_EQ(rows.depths, 3);
  ASSERT_EQ(rows.rows, 6);         // t = 2..5 and 9, 10
  ASSERT_EQ(rows.prefix_rows, 9);  // 0..5 and 8..10
  EXPECT_EQ(values(rows.prefix_token), (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 8, 9, 10}));
  EXPECT_EQ(values(rows.prefix_input), (std::vector<int32_t>{101, 102, 103, 104, 105, 106, 109, 110, 111}));
  EXPECT_EQ(values(rows.prefix_position), (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(values(rows.row_prefix), (std::vector<int32_t>{2, 3, 4, 5, 7, 8}));
  EXPECT_EQ(values(rows.row_start), (std::vector<int32_t>{0, 0, 0, 0, 6, 6}));
  EXPECT_EQ(values(rows.suffix_row), (std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(values(rows.teacher_token), (std::vector<int32_t>{3, 4, 5, 6, 10, 11}));
  EXPECT_EQ(values(rows.teacher[0]), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(values(rows.teacher[1]), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(values(rows.teacher[2]), (std::vector<int32_t>{2, 3, -1}));
  EXPECT_EQ(values(rows.teacher[3]), (std::vector<int32_t>{3, -1, -1}));
  EXPECT_EQ(values(rows.teacher[4]), (std::vector<int32_t>{4, 5, -1}));
  EXPECT_EQ(values(rows.teacher[5]), (std::vector<int32_t>{5, -1, -1}));
  EXPECT_TRUE(std::ranges::equal(rows.teacher_here, values(rows.teacher.reshape({18}))));
  EXPECT_EQ(values(rows.input[0]), (std::vector<int32_t>{103, 104, 105, 106, 110, 111}));
  EXPECT_EQ(values(rows.input[2]), (std::vector<int32_t>{105, 106, 106, 106, 111, 111}));
  EXPECT_EQ(values(rows.target_ids), (std::vector<int32_t>{2, 3, 7}));
  EXPECT_EQ(values(rows.position[2]), (std::vector<int32_t>{4, 5, 5, 5, 2, 2}));
}

TEST(TttRows, OfNothingSupervisedAreNone) {
  Exec exec;
  HostArrays arrays;
  const TttRows rows = make_ttt_rows(exec, arrays, std::vector<int32_t>{1, 2},
                                     supervise(std::vector<uint8_t>{0, 0}, std::vector<int32_t>{0, 2}, 2), {});
  EXPECT_EQ(rows.rows, 0);
  EXPECT_EQ(rows.input.elements(), 0);
}

}  // namespace
}  // namespace eyrie
