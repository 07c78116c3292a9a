#include "app/command_line.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

TEST(CommandLine, HelpEntryWraps) {
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
