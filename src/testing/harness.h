// testing/harness.h: one list of cases (operation x shape): the tests check them, `eyrie bench` times them.
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
  double bytes = 0;  // that are read; with neither it has a time and no rate
  std::function<void(Exec&)> call = {};
  std::string about = {};  // what is timed, where the case's name does not say it

  // Where the calls' time went, each the median of all of them.
  struct Part {
    std::string name;
    double seconds = 0, flops = 0;
  };
  std::function<std::vector<Part>()> parts = {};
  bool kernels = false;  // on a GPU: each kernel of a call gets a line
};

struct Case {
  std::string name;                                     // "operation/shape", unique
  std::function<std::vector<Comparison>(Exec&)> check;  // results against an oracle; empty: none
  std::function<std::vector<Comparison>(Exec&)> grad;   // gradients against an oracle; empty: none
  std::function<Workload(Exec&)> bench;                 // empty: not timed
  Device device = Device::cpu;                          // where it runs
  DType activations = DType::f32;                       // of its Exec
};
using CaseList = std::vector<Case>;
// The case on the CPU and, where there is CUDA, on a GPU with activations of each dtype.
void add_on_every_device(CaseList& cases, const Case& one);

enum class Mode { check, grad };
bool has_mode(const Case& one, Mode mode);

// The failures of one case, one line each; empty when all is well.
std::string failures(const Case& one, Mode mode);

// Milliseconds of a few calls, and of as many more as the time allows; on a GPU by events of exec's stream.
double median_ms(Exec& exec, const std::function<void()>& call, double at_least_seconds = 0.5);

// On a GPU: what each kernel of a call took, beside the limit of what takes longer, its FLOPs at the rate of a product
// or its bytes at the rate of a copy.
void print_kernels(Exec& exec, const std::function<void(Exec&)>& call);

// Times every case and prints tables of at most 80 columns, one for each operation. Work per second stands beside its
// limit: on a GPU, cuBLASLt's bf16 products, or a copy where bytes are stated; on a CPU, of what reads, reading as many
// bytes again and again (from memory or the cache that holds them); else the FMA peak. Work and limit are measured in
// turn, so that a slow moment of the machine meets both, and the share is the median of the rounds' own. A case that a
// GPU cannot run says why, the others go on.
void run_benches(const CaseList& cases);

}  // namespace eyrie::testing
