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
  Device device = Device::cpu;                          // where it runs
};
using CaseList = std::vector<Case>;

enum class Mode { check, grad, bench, list };
bool has_mode(const Case& one, Mode mode);

// The failures of one case, one line each; empty when all is well. Mode check or grad.
std::string failures(const Case& one, Mode mode);

// Of a few calls, and as many more as the time allows.
double median_ms(const std::function<void()>& call, double at_least_seconds = 0.5);

// Work per second beside the limit: what reads, reading as many bytes again and again (from memory or the cache that
// holds them); else the FMA peak. The two are measured in turn, so that a slow moment of the machine meets
// both, and `share` is the median of the rounds' own.
struct Measurement {
  double median_ms = 0;
  double rate = 0, limit = 0;  // FLOP/s or bytes/s, medians
  double share = 0;
  bool reads = false;
  int64_t scratch_bytes = 0;  // of exec, at its highest
};
Measurement measure(Exec& exec, const Workload& work);

// A table of at most 80 columns: its head, then a line each.
void print_measurement_head(std::string_view title);
void print_measurement(std::string_view name, const Measurement& found);

// Runs `mode` on every case that has it, prints a line each, and returns how many failed.
int run_cases(const CaseList& cases, Mode mode);

}  // namespace eyrie::testing
