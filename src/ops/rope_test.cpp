#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace eyrie {
namespace {

// All of this table would be 24 GB.
TEST(RopeTable, ComputesTheRowsThatAreAskedFor) {
  const std::vector<double> frequencies = {1, 0.3, 1e-4};
  const RopeTable table(frequencies, 1.25, 1'000'000'000);
  EXPECT_EQ(table.positions(), 1'000'000'000);
  for (const int64_t position : {0, 1, 1023, 1024, 5000, 999'999'999}) {
    table.prepare(position);
    const RopeTable::Row row = table.row(position);
    for (size_t i = 0; i < frequencies.size(); ++i) {
      const double angle = static_cast<double>(position) * frequencies[i];
      ASSERT_EQ(row.cos[i], static_cast<float>(1.25 * std::cos(angle))) << position;
      ASSERT_EQ(row.sin[i], static_cast<float>(1.25 * std::sin(angle))) << position;
    }
  }
  const float* before = table.row(1).cos;
  table.prepare(1);
  EXPECT_EQ(table.row(1).cos, before);
}

}  // namespace
}  // namespace eyrie
