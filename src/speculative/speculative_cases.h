// speculative/speculative_cases.h: what the harness times of this room.
#pragma once
#include "testing/harness.h"

namespace eyrie {

void add_decode_cases(testing::CaseList& cases);  // a 1B-shaped random target
// The target of a directory with a random draft.
void add_speculation_cases(testing::CaseList& cases, const std::string& model);
// What the parts of a cycle cost beside a plain step of that target, and what accept lengths give at that.
void print_cycle_costs(const std::string& model);

}  // namespace eyrie
