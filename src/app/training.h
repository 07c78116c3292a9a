// app/training.h: a run of training as whoever sits at the terminal sees it: what `train` and `demo` share.
#pragma once
#include "train/run_plan.h"
#include "train/trainer.h"

namespace eyrie {

// train() under a progress bar, until Ctrl-C; metrics.jsonl keeps what this process is and `plan`. `generate`: of
// TrainHooks.
TrainResult train_at_terminal(Exec&, const TrainOptions&, TrainInputs&, const TrainPlan& plan,
                              std::function<double(const Draft&)> generate = {});

}  // namespace eyrie
