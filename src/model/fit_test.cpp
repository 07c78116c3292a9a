#include "model/fit.h"

#include <gtest/gtest.h>

#include "model/model_files_cases.h"

namespace eyrie {
namespace {

using Strings = std::vector<std::string>;

TEST(Fit, NamesEveryMismatch) {
  const ModelDirectory draft_directory(kSmallDraft), target_directory(kSmallTarget);
  DraftConfig draft = read_draft_config(draft_directory.path());
  TargetConfig target = read_target_config(target_directory.path());
  EXPECT_EQ(fit(draft, target).mismatches, Strings());
  EXPECT_EQ(fit(draft, target).notes, Strings());
  draft.target_hidden = 6, draft.vocabulary = 12, draft.tap_ids = {1, 2, 7};
  draft.decoder.rope.theta = 100, draft.decoder.max_positions = 32;
  EXPECT_EQ(fit(draft, target).mismatches,
            (Strings{"the draft reads taps of a target with hidden size 6, this target has 8",
                     "the draft's target vocabulary has 12 tokens, this target's has 11",
                     "the draft taps layer 7, this target has layers 0 to 6"}));
  EXPECT_EQ(fit(draft, target).notes,
            (Strings{"RoPE differs: the draft has default, theta 100, the target default, theta 5000",
                     "the draft knows 32 positions, the target 64: nothing is drafted beyond them"}));
  draft = read_draft_config(draft_directory.path());
  target.layers = 5;
  EXPECT_EQ(fit(draft, target).mismatches,
            Strings{"the draft names no tap ids, and a target of 5 layers has no default ones; give them"});
}

}  // namespace
}  // namespace eyrie
