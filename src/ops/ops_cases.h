// ops/ops_cases.h: what the harness runs of this room.
#pragma once
#include "testing/harness.h"

namespace eyrie {

void add_linear_cases(testing::CaseList& cases);

inline void add_ops_cases(testing::CaseList& cases) { add_linear_cases(cases); }

}  // namespace eyrie
