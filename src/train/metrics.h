// train/metrics.h: metrics.jsonl of a run, one line per step and per evaluation, in stable keys.
//   both         kind ("train" | "eval"), step (steps done), loss, tokens (of the step or the held-out text),
//                depths: per depth {loss, accuracy, oov_share, accept_probability, rows}
//                walked_accept_length [K] with chains of 1..K, product_accept_length
//   train        epoch, learning_rate, grad_norm, applied (false: not finite, skipped), seconds, work {kind: seconds}
//   eval         generated_accept_length (null when not measured), seconds
#pragma once
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "train/loss.h"
#include "train/work.h"

namespace eyrie {

struct TrainMetrics {
  int64_t step = 0, epoch = 0, tokens = 0;
  double loss = 0, learning_rate = 0, grad_norm = 0, seconds = 0;
  bool applied = true;
  const StepFigures& figures;
  const WorkShares& work;
};

struct EvalMetrics {
  int64_t step = 0, tokens = 0;
  double loss = 0, seconds = 0;
  std::optional<double> generated_accept_length;
  const StepFigures& figures;
};

// Appends to the file; `keep_steps`: lines of later steps, written before the run was broken off, are dropped first.
class MetricsFile {
 public:
  MetricsFile(const std::string& path, int64_t keep_steps);
  void write(const TrainMetrics&);
  void write(const EvalMetrics&);
  bool evaluated() const { return evaluated_; }  // a line that was kept is the evaluation after `keep_steps`

 private:
  void append(const std::string& line);
  std::string path_;
  bool evaluated_ = false;
};

}  // namespace eyrie
