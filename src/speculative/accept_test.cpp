#include "speculative/accept.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace eyrie {
namespace {

TEST(Accept, KeepsTheLongestMatchOfWhatIsDrawn) {
  RandomStream stream("accept");
  for (int round = 0; round < 2000; ++round) {
    std::vector<int32_t> drafts(stream.below(6)), choices(drafts.size() + 1);
    for (int32_t& token : drafts) token = static_cast<int32_t>(stream.below(2));
    for (int32_t& token : choices) token = static_cast<int32_t>(stream.below(2));
    int64_t match = 0;
    for (size_t i = 0; i < drafts.size() && drafts[i] == choices[i]; ++i) ++match;
    for (size_t drawn = 0; drawn <= choices.size(); ++drawn)
      ASSERT_EQ(accepted(drafts, std::span(choices).first(drawn)), std::min(match, static_cast<int64_t>(drawn)));
  }
}

TEST(AcceptStatistics, CountsTokensPerStep) {
  AcceptStatistics one, two;
  one.add(1), one.add(5), one.add(5);
  two.add(2);
  one.add(two);
  EXPECT_EQ(one.steps_by_tokens, (std::vector<int64_t>{0, 1, 1, 0, 0, 2}));
  EXPECT_EQ(one.verify_steps(), 4);
  EXPECT_EQ(one.tokens(), 13);
  EXPECT_DOUBLE_EQ(one.accept_length(), 3.25);
  EXPECT_EQ(AcceptStatistics().accept_length(), 0);
}

// Serves a text whose draft is right exactly `right[row]` depths at each row, token by token.
AcceptStatistics serve(const std::vector<int32_t>& right, int64_t chain) {
  AcceptStatistics out;
  for (size_t row = 0; row < right.size();) {
    std::vector<int32_t> drafts(static_cast<size_t>(chain), 1), choices(static_cast<size_t>(chain) + 1, 1);
    for (size_t k = static_cast<size_t>(right[row]); k < drafts.size(); ++k) drafts[k] = 0;
    // The span's last token is a stop token.
    const int64_t kept = std::min(accepted(drafts, choices) + 1, static_cast<int64_t>(right.size() - row));
    out.add(kept);
    row += static_cast<size_t>(kept);
  }
  return out;
}

TEST(WalkSpan, EqualsServingForEveryChain) {
  RandomStream stream("walk");
  for (int round = 0; round < 500; ++round) {
    std::vector<int32_t> right(stream.below(30));
    for (size_t row = 0; row < right.size(); ++row)
      right[row] = static_cast<int32_t>(std::min<size_t>(stream.below(9), right.size() - row));
    for (int64_t chain = 1; chain <= 7; ++chain) {
      const AcceptStatistics walked = walk_span(right, chain);
      ASSERT_EQ(walked.steps_by_tokens, serve(right, chain).steps_by_tokens);
      ASSERT_EQ(walked.tokens(), static_cast<int64_t>(right.size()));
    }
  }
}

TEST(WalkSpan, ByHand) {
  //                        rows:  0  1  2  3  4  5
  const std::vector<int32_t> right = {2, 0, 0, 1, 0, 1};
  EXPECT_EQ(walk_span(right, 4).steps_by_tokens, (std::vector<int64_t>{0, 1, 1, 1}));  // rows 0, 3, 5
  EXPECT_EQ(walk_span(right, 1).steps_by_tokens, (std::vector<int64_t>{0, 2, 2}));     // rows 0, 2, 3, 5
  EXPECT_EQ(walk_span({}, 4).verify_steps(), 0);
}

}  // namespace
}  // namespace eyrie
