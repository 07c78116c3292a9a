// Every case of the room, in check and in grad mode.
#include "ops/ops_cases.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

struct Run {
  testing::Case one;
  testing::Mode mode;
};

std::vector<Run> runs() {
  testing::CaseList cases;
  add_ops_cases(cases);
  std::vector<Run> list;
  for (const testing::Case& one : cases)
    for (const testing::Mode mode : {testing::Mode::check, testing::Mode::grad})
      if (has_mode(one, mode)) list.push_back({one, mode});
  return list;
}

void PrintTo(const Run& run, std::ostream* out) { *out << run.one.name; }

class OpsCases : public ::testing::TestWithParam<Run> {};

TEST_P(OpsCases, AgreesWithItsOracle) { EXPECT_EQ(failures(GetParam().one, GetParam().mode), ""); }

std::string test_name(const ::testing::TestParamInfo<Run>& run) {
  std::string name = run.param.one.name + (run.param.mode == testing::Mode::grad ? "_grad" : "_check");
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Room, OpsCases, ::testing::ValuesIn(runs()), test_name);

}  // namespace
}  // namespace eyrie
