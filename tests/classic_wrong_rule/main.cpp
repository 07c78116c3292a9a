// One dumped training step with the right backward of its attention and with the classic wrong one (docs/attention.md):
//   classic_wrong_rule DUMP [TARGET]
// This program's `merge` is not the real one: it brings its own, whose backward is the wrong rule. The step, the replay
// and everything else is Eyrie's. Exits 1 when the wrong rule's gradients cannot be told from the right ones.
#include <fmt/core.h>

#include <cmath>

#include "attention/backend.h"
#include "attention/classic_wrong_rule.h"
#include "train/replay.h"

namespace eyrie {

std::string why_not(const SuffixAttention&, Arguments) { return ""; }
int64_t scratch_bytes(const SuffixAttention&) { return 0; }
void right_forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  suffix_attention(exec, AttentionBackend::dense, problem, o, lse);
}
const DeviceFunctions merge::kCpu = {why_not, scratch_bytes, right_forward, classic_wrong_backward};

namespace {

constexpr double kCertain = 1e-2;  // no rounding is as large

double worst_difference(const ReplayRun& run) {
  double worst = 0;
  for (const TensorDifference& one : run.differences) worst = std::max(worst, one.relative_l2);
  return worst;
}

void print_run(const std::string& rule, const ReplayRun& run) {
  fmt::print("{:<28} {:>12.6g} {:>14.6g}\n", rule, run.loss, run.grad_norm);
}

int compare_rules(const ReplayOptions& options) {
  Exec exec;
  const Replay result = replay(exec, options);
  const ReplayRun &right = result.runs[0], &wrong = result.runs[1];
  fmt::print("{} depths\n\n{:<28} {:>12} {:>14}\n", result.ttt_steps, "backward of the attention", "loss",
             "gradient norm");
  print_run("merged o and lse", right);
  print_run("prefix alone", wrong);
  fmt::print("\nrelative error of each gradient under the wrong rule\n");
  for (const TensorDifference& one : wrong.differences) fmt::print("  {:<44} {:>8.4f}\n", one.tensor, one.relative_l2);
  return worst_difference(wrong) > kCertain ? 0 : 1;
}

}  // namespace
}  // namespace eyrie

int main(int count, char** words) {
  if (count < 2 || count > 3) {
    fmt::print(stderr, "classic_wrong_rule DUMP [TARGET]\n");
    return 2;
  }
  try {
    return eyrie::compare_rules(
        {.directory = words[1], .model = count > 2 ? words[2] : "", .attention = {"dense", "merge"}});
  } catch (const eyrie::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
}
