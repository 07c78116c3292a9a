#include "base/nearest_word.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

const std::vector<std::string> kKnown = {"--model", "--data", "--draft-config", "--draft-vocabulary", "--seed"};

TEST(NearestWord, IsTheOneOfFewestChanges) {
  EXPECT_EQ(nearest_word("--modle", kKnown), "--model");
  EXPECT_EQ(nearest_word("--dat", kKnown), "--data");
  EXPECT_EQ(nearest_word("--draft-vocab", kKnown), "");
  EXPECT_EQ(nearest_word("--draft-confg", kKnown), "--draft-config");
  EXPECT_EQ(nearest_word("--seed", kKnown), "--seed");
  EXPECT_EQ(nearest_word("--xyzzy", kKnown), "");
  EXPECT_EQ(nearest_word("", kKnown), "");
  EXPECT_EQ(nearest_word("x", {}), "");
}

TEST(NearestWord, Suggestion) {
  EXPECT_EQ(suggestion("trian", {"train", "export"}), "; did you mean train?");
  EXPECT_EQ(suggestion("zzzzz", {"train", "export"}), "");
}

}  // namespace
}  // namespace eyrie
