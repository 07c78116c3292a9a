// testing/harness.h: one list of cases (operation x shape), four things to do with it. The tests walk check and grad,
// `eyrie bench` walks bench and list.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/exec.h"
#include "testing/compare.h"

namespace eyrie::testing {

// What one call costs, and the call itself. The owner of its tensors lives inside `call`.
struct Workload {
  double flops = 0;
  double bytes = 0;  // 0: not a matter of reading
  std::function<void(Exec&)> call = {};
};

struct Case {
  std::string name;                                     // "operation/shape", unique
  std::function<std::vector<Comparison>(Exec&)> check;  // results against an oracle; empty: none
  std::function<std::vector<Comparison>(Exec&)> grad;   // gradients against an oracle; empty: none
  std::function<Workload(Exec&)> bench;                 // empty: not timed
};
using CaseList = std::vector<Case>;

enum class Mode { check, grad, bench, list };
bool has_mode(const Case& one, Mode mode);

// The failures of one case, one line each; empty when all is well. Mode check or grad.
std::string failures(const Case& one, Mode mode);

struct Timing {
  double median_ms = 0, best_ms = 0;
  int calls = 0;
};
Timing time_calls(const std::function<void()>& call, double at_least_seconds = 0.5);

// Runs `mode` on every case whose name contains `filter`, prints a line each, and returns how many failed. Bench prints
// ms, GFLOP/s and GB/s beside the share of what this process measured the machine can do.
int run_cases(const CaseList& cases, Mode mode, std::string_view filter = "");

}  // namespace eyrie::testing
