// testing/room_cases.h: a room's cases as GoogleTest cases, in check and in grad mode.
// The one header here that GoogleTest enters: for a room's test binary alone.
#pragma once
#include <gtest/gtest.h>

#include "testing/harness.h"

namespace eyrie::testing {

struct CaseRun {
  Case one;
  Mode mode;
};

inline std::vector<CaseRun> runs_of(void (*add_cases)(CaseList&), Device device = Device::cpu) {
  CaseList cases;
  add_cases(cases);
  std::vector<CaseRun> list;
  for (const Case& one : cases)
    for (const Mode mode : {Mode::check, Mode::grad})
      if (one.device == device && has_mode(one, mode)) list.push_back({one, mode});
  return list;
}

inline void PrintTo(const CaseRun& run, std::ostream* out) { *out << run.one.name; }

inline std::string name_of_run(const ::testing::TestParamInfo<CaseRun>& run) {
  std::string name = run.param.one.name + (run.param.mode == Mode::grad ? "_grad" : "_check");
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

struct RoomCases : ::testing::TestWithParam<CaseRun> {
  void expect_agreement() { EXPECT_EQ(failures(GetParam().one, GetParam().mode), ""); }
};

}  // namespace eyrie::testing
