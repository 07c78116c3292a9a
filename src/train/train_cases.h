// train/train_cases.h: what the harness times of this room.
#pragma once
#include "testing/harness.h"

namespace eyrie {

// A step of training on the conversations of a model directory.
void add_training_cases(testing::CaseList& cases, const std::string& model);

}  // namespace eyrie
