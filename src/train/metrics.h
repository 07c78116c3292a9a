// train/metrics.h: metrics.jsonl of a run, one line per step, per evaluation and per process that trained, in stable
// keys.
//   each         kind ("train" | "eval" | "begin"), step (steps done), time (UTC, ISO 8601)
//   train, eval  loss, tokens (of the step or the held-out text),
//                depths: per depth {loss, accuracy, oov_share, accept_probability, rows}
//                walked_accept_length [K] with chains of 1..K, product_accept_length
//   train        epoch, learning_rate, grad_norm, applied (false: not finite, skipped), seconds, work {kind: seconds}
//   eval         generated_accept_length (null when not measured), seconds
//   begin        the run starts or goes on here: steps (of the run), chain, about {name: text} of this process
#pragma once
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

struct RunBegin {
  int64_t step = 0, steps = 0, chain = 0;
  std::string time;                                        // as read
  std::vector<std::pair<std::string, std::string>> about;  // name, text
};

// Appends to the file; `keep_steps`: lines of later steps, written before the run was broken off, are dropped first.
class MetricsFile {
 public:
  MetricsFile(const std::string& path, int64_t keep_steps);
  void write(const TrainMetrics&);
  void write(const EvalMetrics&);
  void write(const RunBegin&);
  bool evaluated() const { return evaluated_; }  // a line that was kept is the evaluation after `keep_steps`

 private:
  void append(const std::string& line);
  std::string path_;
  bool evaluated_ = false;
};

// A train or eval line as it is read again; NaN where the file says null (a loss that was not finite), empty and 0
// where it says nothing.
struct MetricsPoint {
  int64_t step = 0, tokens = 0;
  double loss = 0, seconds = 0;
  bool applied = true;
  std::string time;
  std::vector<double> depth_loss, depth_accuracy;  // [K]
  std::vector<double> walked;                      // [K]
  std::optional<double> generated;
};

struct RunMetrics {
  std::vector<RunBegin> begins;
  std::vector<MetricsPoint> steps, evaluations;
  int64_t unread_lines = 0;  // broken ones: a run that was killed may have cut its last

  int64_t step() const { return steps.empty() ? 0 : steps.back().step; }
};
// Error{file} when it cannot be opened.
RunMetrics read_metrics(const std::string& path);

}  // namespace eyrie
