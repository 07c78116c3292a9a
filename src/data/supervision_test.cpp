#include "data/supervision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/random.h"

namespace eyrie {
namespace {

// The rule of spec §3 word for word: some maximal run [a, b] with start <= t, t+1 >= a, t+2+k <= b.
bool supervised_by_rule(const std::vector<uint8_t>& mask, int start, int end, int t, int k) {
  for (int a = start; a < end; ++a) {
    if (!mask[static_cast<size_t>(a)] || (a > start && mask[static_cast<size_t>(a) - 1])) continue;
    int b = a;
    while (b + 1 < end && mask[static_cast<size_t>(b) + 1]) ++b;
    if (t >= start && t + 1 >= a && t + 2 + k <= b) return true;
  }
  return false;
}

std::tuple<std::vector<uint8_t>, std::vector<int32_t>> random_batch(RandomStream& stream) {
  std::vector<int32_t> cu_seqlens = {0};
  std::vector<uint8_t> mask;
  for (uint64_t s = 0, count = stream.below(5); s < count; ++s) {
    uint8_t value = stream.below(2) != 0;
    for (uint64_t t = 0, length = stream.below(14); t < length; ++t) {
      if (stream.below(4) == 0) value ^= 1;
      mask.push_back(value);
    }
    cu_seqlens.push_back(static_cast<int32_t>(mask.size()));
  }
  return {mask, cu_seqlens};
}

TEST(Supervision, EqualsTheRuleRowByRow) {
  RandomStream stream("supervision");
  for (int round = 0; round < 3000; ++round) {
    const auto [mask, cu_seqlens] = random_batch(stream);
    const int64_t depths = 1 + static_cast<int64_t>(stream.below(7));
    const Supervision found = supervise(mask, cu_seqlens, depths);
    std::vector<int64_t> counts(static_cast<size_t>(depths), 0);
    size_t row = 0;
    for (size_t s = 0; s + 1 < cu_seqlens.size(); ++s)
      for (int t = cu_seqlens[s]; t < cu_seqlens[s + 1]; ++t) {
        if (!supervised_by_rule(mask, cu_seqlens[s], cu_seqlens[s + 1], t, 0)) continue;
        ASSERT_LT(row, found.row_token.size());
        ASSERT_EQ(found.row_token[row], t);
        ASSERT_EQ(found.row_start[row], cu_seqlens[s]);
        ASSERT_EQ(found.prefix_token[static_cast<size_t>(found.row_prefix[row])], t);
        const int first = found.prefix_start[static_cast<size_t>(found.row_prefix[row])];
        ASSERT_EQ(found.prefix_token[static_cast<size_t>(first)], cu_seqlens[s]);
        for (int k = 0; k < depths; ++k) {
          const bool expected = supervised_by_rule(mask, cu_seqlens[s], cu_seqlens[s + 1], t, k);
          ASSERT_EQ(found.supervised(static_cast<int64_t>(row), k), expected);
          counts[static_cast<size_t>(k)] += expected;
        }
        ++row;
      }
    ASSERT_EQ(row, found.row_token.size());
    ASSERT_EQ(found.rows_at_depth, counts);
  }
}

TEST(Supervision, PrefixEndsAtTheLastRowOfItsSequence) {
  //                                  sequence 0        | 1    | 2
  const std::vector<uint8_t> mask = {0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1};
  const Supervision found = supervise(mask, std::vector<int32_t>{0, 7, 9, 12}, 3);
  EXPECT_EQ(found.row_token, (std::vector<int32_t>{1, 2, 3, 9}));
  EXPECT_EQ(found.prefix_token, (std::vector<int32_t>{0, 1, 2, 3, 9}));
  EXPECT_EQ(found.row_prefix, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(found.rows_at_depth, (std::vector<int64_t>{4, 2, 1}));
}

TEST(Supervision, RefusesOffsetsThatDoNotCoverTheBatch) {
  const std::vector<uint8_t> mask(5, 1);
  for (const std::vector<int32_t>& bad :
       {std::vector<int32_t>{}, {0, 4}, {1, 5}, {0, 3, 2, 5}, {0, 6}, std::vector<int32_t>{0, -1, 5}})
    EXPECT_THROW(supervise(mask, bad, 2), Error);
}

}  // namespace
}  // namespace eyrie
