#include "testing/poison.h"

#include <gtest/gtest.h>

namespace eyrie::testing {
namespace {

TEST(CaseMemory, AStrayWriteStandsBehindTheResults) {
  CaseMemory memory("stray");
  const Tensor y = memory.output("y", {3});
  memory.output("other", {5});
  const Comparison right{.tensor = "right"};
  EXPECT_EQ(memory.with_guards({right}).size(), 1u);
  y.as<float>()[3] = 0;
  const std::vector<Comparison> found = memory.with_guards({right});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].tensor, "right");
  EXPECT_EQ(found[1].tensor, "y");
  EXPECT_NE(found[1].note, "");
}

}  // namespace
}  // namespace eyrie::testing
