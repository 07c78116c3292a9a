#include "eval/tasks.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

TEST(Tasks, FinalAnswerIsTheNumberBehindTheLastMark) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"so 6 * 7 = 42.\n#### 42", "42"},
                                                                  {"#### 1\nno, wait\n#### 2", "2"},
                                                                  {"####   1,234,567", "1234567"},
                                                                  {"#### $12.50 dollars", "12.5"},
                                                                  {"#### -3", "-3"},
                                                                  {"#### 007", "7"},
                                                                  {"#### -0.0", "0"},
                                                                  {"#### .5", "0.5"},
                                                                  {"#### 10", "10"},
                                                                  {"#### 1.2.3", "1.2"},
                                                                  {"#### 18.", "18"},
                                                                  {"####5", "5"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(final_answer(text), expected) << text;
  for (const std::string text : {"42", "#### ", "#### none", "### 5", "#### -", "#### x 5"})
    EXPECT_EQ(final_answer(text), std::nullopt) << text;
}

TEST(Tasks, ExactMatchComparesNumbersNotText) {
  EXPECT_TRUE(exact_match("other reason\n#### 1200.0", "reason\n#### 1,200"));
  EXPECT_FALSE(exact_match("#### 120", "#### 1200"));
  EXPECT_FALSE(exact_match("1200", "#### 1200"));
  EXPECT_FALSE(exact_match("none", "none"));
}

}  // namespace
}  // namespace eyrie
