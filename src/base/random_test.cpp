#include "base/random.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

// The known-answer vectors that the authors ship with Random123 (philox4x32, 10 rounds).
TEST(Random, PhiloxGivesTheAuthorsVectors) {
  EXPECT_EQ(philox(0, 0, 0), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, StreamContinuesFromItsPosition) {
  RandomStream first("stream");
  for (int i = 0; i < 7; ++i) first.normal();
  RandomStream second(first.key(), first.position());
  EXPECT_EQ(first.next_u64(), second.next_u64());
}

TEST(Random, MomentsOfUniformAndNormal) {
  RandomStream stream("moments");
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = stream.uniform(), z = stream.normal();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u, squares += u * u, normal_sum += z, normal_squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.01);
  EXPECT_NEAR(normal_sum / kDraws, 0, 0.03);
  EXPECT_NEAR(normal_squares / kDraws, 1, 0.05);
}

}  // namespace
}  // namespace eyrie
