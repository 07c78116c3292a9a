// app/training.h: what `train` and `demo` share.
#pragma once
#include "model/draft.h"
#include "train/trainer.h"

namespace eyrie {

// The accept length of really generating: greedy, the served drafts of `chain` per verify, over all prompts.
double generated_accept_length(Exec&, const Target&, const Draft&, const std::vector<std::vector<int32_t>>& prompts,
                               int64_t chain);

// The details of the progress bar, the most important first.
std::vector<std::string> describe(const TrainProgress&);

}  // namespace eyrie
