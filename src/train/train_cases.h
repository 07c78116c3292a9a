// train/train_cases.h: what the harness times of this room.
#pragma once
#include <string_view>

#include "testing/harness.h"

namespace eyrie {

// A step of training on the conversations of a model directory.
void add_training_cases(testing::CaseList& cases, const std::string& model);

// Prints steps of an 8B-shaped draft on a GPU whose names, "train/<supervised> of <tokens>", contain the filter.
void bench_device_steps(std::string_view filter);

}  // namespace eyrie
