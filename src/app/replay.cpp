#include "train/replay.h"

#include <fmt/core.h>

#include "app/commands.h"
#include "app/output.h"

namespace eyrie {
namespace {

void print_run(const ReplayRun& run, const ReplayRun& first) {
  fmt::print("{:<15} {:>13.6g} {:>13.6g}", run.attention, run.loss, run.grad_norm);
  const TensorDifference* worst = nullptr;
  for (const TensorDifference& one : run.differences)
    if (!worst || one.relative_l2 > worst->relative_l2) worst = &one;
  if (&run != &first && worst) fmt::print("  {:.1e} in {}", worst->relative_l2, worst->tensor);
  fmt::print("\n");
}

void print_depths(const ReplayRun& run) {
  fmt::print("\ndepth     loss  accuracy  out of vocab.  supervised\n");
  for (size_t k = 0; k < run.figures.depths.size(); ++k) {
    const DepthFigures& depth = run.figures.depths[k];
    fmt::print("{:>5} {:>8.4f} {:>8.2f}% {:>13.2f}% {:>11}\n", k, depth.loss(), 100 * depth.accuracy(),
               100 * depth.oov_share(), depth.supervised);
  }
}

void print_recorded(const Replay& result) {
  if (!result.recorded_loss) return fmt::print("\nno loss is recorded to compare with\n");
  const std::string& why = result.why_not_compared;
  fmt::print("\nrecorded loss {:.6g}{}\n", *result.recorded_loss, why.empty() ? "" : ", not compared: " + why);
}

void print_differences(const std::vector<ReplayRun>& runs) {
  for (size_t i = 1; i < runs.size(); ++i) {
    fmt::print("\n{} against {}: relative difference of each gradient\n", runs[i].attention, runs[0].attention);
    for (const TensorDifference& one : runs[i].differences)
      fmt::print("  {:<46} {:.2e}\n", one.tensor, one.relative_l2);
  }
}

}  // namespace

void run_replay(const ReplayCommand& command) {
  const std::string& dump = command.replay.directory;
  expect_not_an_input(command.output, {dump, dump + "/draft", command.replay.model});
  expect_replay_result(command.output);
  expect_writable(command.output);
  Exec exec;
  ReplayOptions options = command.replay;
  if (command.ttt_steps > 0) options.ttt_steps = command.ttt_steps;
  const Replay result = replay(exec, options);
  fmt::print("depths {}, loss decay {}, normalize {}\n", result.ttt_steps, result.loss_decay, name(result.normalize));
  if (!result.recorded_attention.empty())
    fmt::print("recorded with attention {}; computed here with replay's own (--attention)\n",
               result.recorded_attention);
  fmt::print("\n");
  fmt::print("{:<15} {:>13} {:>13}  {}\n", "backend", "loss", "gradient norm",
             result.runs.size() > 1 ? "largest relative difference" : "");
  for (const ReplayRun& run : result.runs) print_run(run, result.runs[0]);
  print_depths(result.runs[0]);
  print_differences(result.runs);
  print_recorded(result);
  write_replay(command.output, result);
  expect_recorded_loss(options, result);
}

}  // namespace eyrie
