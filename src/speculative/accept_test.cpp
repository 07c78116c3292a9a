#include "speculative/accept.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace eyrie {
namespace {

struct Walk {
  Acceptance acceptance;
  std::vector<int32_t> tokens;
  std::vector<bool> from_draft;
  int64_t rows_chosen = 0;
};

Walk walk(const std::vector<int32_t>& drafts, const std::vector<int32_t>& choices, size_t room) {
  Walk out;
  out.acceptance = accept(
      drafts,
      [&](int64_t row) {
        EXPECT_EQ(row, out.rows_chosen++);
        return choices[static_cast<size_t>(row)];
      },
      [&](int32_t token, bool from_draft) {
        out.tokens.push_back(token), out.from_draft.push_back(from_draft);
        return out.tokens.size() < room;
      });
  return out;
}

TEST(Accept, KeepsTheLongestMatchAndTheTargetsOwnToken) {
  RandomStream stream("accept");
  for (int round = 0; round < 2000; ++round) {
    std::vector<int32_t> drafts(stream.below(6)), choices(drafts.size() + 1);
    for (int32_t& token : drafts) token = static_cast<int32_t>(stream.below(2));
    for (int32_t& token : choices) token = static_cast<int32_t>(stream.below(2));
    const size_t room = 1 + stream.below(8);

    const auto match = std::mismatch(drafts.begin(), drafts.end(), choices.begin()).first - drafts.begin();
    std::vector<int32_t> expected(choices.begin(), choices.begin() + match + 1);
    const bool ended = expected.size() >= room;
    if (ended) expected.resize(room);

    const Walk found = walk(drafts, choices, room);
    ASSERT_EQ(found.tokens, expected);
    ASSERT_EQ(found.acceptance.tokens, static_cast<int64_t>(expected.size()));
    ASSERT_EQ(found.acceptance.ended, ended);
    ASSERT_EQ(found.acceptance.accepted, std::count(found.from_draft.begin(), found.from_draft.end(), true));
    ASSERT_EQ(found.acceptance.accepted, std::min<int64_t>(match, static_cast<int64_t>(expected.size())));
    ASSERT_EQ(found.rows_chosen, found.acceptance.tokens);  // nothing is drawn for rows the walk does not reach
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
    const Walk step = walk(drafts, choices, right.size() - row);  // the span's last token is a stop token
    out.add(step.acceptance.tokens);
    row += static_cast<size_t>(step.acceptance.tokens);
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
