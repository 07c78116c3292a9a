#include "app/usage.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

const std::vector<std::string> kKnown = {"--model", "--data", "--draft-config", "--draft-vocabulary", "--seed"};

TEST(Usage, NearestWord) {
  EXPECT_EQ(nearest_word("--modle", kKnown), "--model");
  EXPECT_EQ(nearest_word("--dat", kKnown), "--data");
  EXPECT_EQ(nearest_word("--draft-vocab", kKnown), "");
  EXPECT_EQ(nearest_word("--draft-confg", kKnown), "--draft-config");
  EXPECT_EQ(nearest_word("--seed", kKnown), "--seed");
  EXPECT_EQ(nearest_word("--xyzzy", kKnown), "");
  EXPECT_EQ(nearest_word("", kKnown), "");
  EXPECT_EQ(nearest_word("x", {}), "");
}

TEST(Usage, Suggestion) {
  EXPECT_EQ(suggestion("trian", {"train", "export"}), "; did you mean train?");
  EXPECT_EQ(suggestion("zzzzz", {"train", "export"}), "");
}

TEST(Usage, HelpEntryWraps) {
  EXPECT_EQ(help_entry("  --a", "one two", 8, 20), "  --a   one two\n");
  EXPECT_EQ(help_entry("  --a", "one two three", 8, 15), "  --a   one two\n        three\n");
  EXPECT_EQ(help_entry("  --a-long-name", "one", 8, 20), "  --a-long-name\n        one\n");
  EXPECT_EQ(help_entry("  --just", "one", 8, 20), "  --just\n        one\n");
  EXPECT_EQ(help_entry("  --a-long-name", "", 8, 20), "  --a-long-name\n");
  EXPECT_EQ(help_entry("  --a", "", 8, 20), "  --a\n");
  EXPECT_EQ(help_entry("  --a", "unbreakable-words-stay-whole ok", 8, 20),
            "  --a   unbreakable-words-stay-whole\n        ok\n");
}

}  // namespace
}  // namespace eyrie
