// train/trainer.h: a run: step after step over the data, evaluated, checkpointed, broken off and resumed at will.
//
// The run directory:
//   checkpoint-<step>/   train/checkpoint.h; the newest `keep` and the best by walked accept length
//   best.json            {step, walked_accept_length, checkpoint}
//   run.toml             every flag that the run began or was last resumed with: `--output RUN --resume` takes them
//                        from there
//   lock                 process and host of the training that writes here, for as long as it does
//   metrics.jsonl        train/metrics.h
//   generated.json, report.html   written by the program (app/report)
//   dump-<step>/         steps that were asked for, spiked or were not finite (train/step_dump.h)
#pragma once
#include <atomic>
#include <functional>

#include "train/inputs.h"
#include "train/ttt_step.h"

namespace eyrie {

struct TrainProgress {
  int64_t step = 0, steps = 0;    // done, of all
  double loss = 0, accuracy = 0;  // of this step; at depth 0
  double tokens_per_second = 0, seconds_left = 0;
};

struct TrainHooks {
  std::function<void(const TrainProgress&)> progress;
  // The accept length of really generating with the draft; empty: not measured.
  std::function<double(const Draft&)> generate;
  const std::atomic<bool>* stop = nullptr;
  std::vector<std::pair<std::string, std::string>> about = {};  // of this process, for metrics.jsonl: name, text
};

struct TrainResult {
  int64_t steps = 0, skipped = 0, tokens = 0;
  double seconds = 0;
  StepFigures last;  // of the last evaluation; empty without held-out data
  double best_accept_length = 0;
  int64_t best_step = 0;
  std::optional<double> generated_accept_length;
  std::string checkpoint;  // the last one
};

// Trains to the end. Error{interrupted} after a checkpoint when stopped; Error{usage} when a resumed run began with
// other settings; Error{input} when no step at all could be applied: then nothing is saved either.
TrainResult train(Exec&, const TrainOptions&, TrainInputs&, const TrainHooks&);

// Forward alone over a source: figures of all its batches, and their tokens.
StepFigures evaluate(Exec&, const TrainOptions&, const TttModel&, const BatchSource&, int64_t& tokens);

}  // namespace eyrie
