// train/check_options.h: what can be said of options before any file is read.
#pragma once
#include "train/options.h"

namespace eyrie {

// Error{usage} naming the option, its range and what was found; or two that contradict each other.
void check_options(const TrainOptions&);

}  // namespace eyrie
