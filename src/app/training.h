// app/training.h: what `train` and `demo` share.
#pragma once
#include "train/run_plan.h"
#include "train/trainer.h"

namespace eyrie {

// What metrics.jsonl keeps of a process that trains: version, machine, target, seed, plan.
std::vector<std::pair<std::string, std::string>> about_run(const TrainOptions&, const TrainPlan&);

// The details of the progress bar.
std::vector<std::string> describe(const TrainProgress&);

}  // namespace eyrie
