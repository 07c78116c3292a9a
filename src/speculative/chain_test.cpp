#include "speculative/chain.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace eyrie {
namespace {

TEST(Chain, SlotTakesTheNextTokenAndPredictsTheOneAfter) {
  // Spec §8: slot i takes token i+1 at position i and predicts i+2; spec §3: depth k takes x_{t+1+k} at (t) + k.
  for (int64_t row = 0; row < 4; ++row)
    for (int64_t depth = 0; depth < 4; ++depth) {
      const DraftIndices at = draft_indices(row, depth);
      EXPECT_EQ(at.token, row + 1 + depth);
      EXPECT_EQ(at.position, row + depth);
      EXPECT_EQ(at.predicted, row + 2 + depth);
    }
}

// Keeps for every draft slot what it was last made of, and for the target which rows are cached, over random cycles.
TEST(Chain, EverySlotThatStaysWasMadeFromRealTaps) {
  RandomStream stream("chain");
  for (int round = 0; round < 200; ++round) {
    const auto prompt = static_cast<int64_t>(1 + stream.below(20));
    std::vector<char> made_from(600, '-');
    for (int64_t slot = 0; slot < prompt; ++slot) made_from[static_cast<size_t>(slot)] = 'f';
    int64_t known = prompt + 1, cached_rows = prompt;
    for (int cycle = 0; cycle < 20; ++cycle) {
      const Cycle plan = verify_cycle(known, static_cast<int64_t>(stream.below(8)));
      ASSERT_EQ(plan.rows.begin, cached_rows);
      ASSERT_EQ(plan.rows.count(), plan.chain + 1);
      for (int64_t slot = plan.chain_slots().begin; slot < plan.chain_slots().end; ++slot) {
        made_from[static_cast<size_t>(slot)] = 'g';
        ASSERT_LT(slot, plan.rows.end);  // the verify's pages hold the chain's slots
      }
      const auto accepted = static_cast<int64_t>(stream.below(static_cast<uint64_t>(plan.chain) + 1));
      const IndexRange extended = plan.extended_slots(accepted);
      ASSERT_EQ(extended.count(), accepted + 1);
      for (int64_t slot = extended.begin; slot < extended.end; ++slot) made_from[static_cast<size_t>(slot)] = 'f';
      known += accepted + 1;
      cached_rows = extended.end;
      ASSERT_EQ(cached_rows, known - 1);
      for (int64_t slot = 0; slot < cached_rows; ++slot) ASSERT_EQ(made_from[static_cast<size_t>(slot)], 'f');
    }
  }
}

TEST(Chain, FittingChainKeepsTokensAndRowsInsideTheirLimits) {
  for (int64_t known = 1; known < 12; ++known)
    for (int64_t left = 1; left < 9; ++left)
      for (int64_t wanted = 0; wanted < 7; ++wanted) {
        const int64_t chain = fitting_chain(wanted, known, left, 14);
        EXPECT_LE(chain, wanted);
        EXPECT_LE(chain + 1, left);
        EXPECT_LE(known - 1 + chain, 13);
        const bool longer_fits = chain + 2 <= left && known + chain <= 13 && chain < wanted;
        EXPECT_FALSE(longer_fits);
      }
}

TEST(Chain, ChunkTakesTheNextPromptTokenAtItsLastRow) {
  const std::vector<int32_t> prompt_and_first = {10, 11, 12, 13, 14, 15};  // five prompt tokens, one sampled
  const Cycle chunk{{2, 4}, 0}, last{{4, 5}, 0};
  const auto taken = tokens_taken(prompt_and_first, chunk.extended_slots(0));
  EXPECT_EQ(std::vector<int32_t>(taken.begin(), taken.end()), (std::vector<int32_t>{13, 14}));
  EXPECT_EQ(tokens_taken(prompt_and_first, last.extended_slots(0))[0], 15);
  EXPECT_THROW(tokens_taken(prompt_and_first, {4, 6}), Error);
}

}  // namespace
}  // namespace eyrie
