#include "testing/harness.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/time.h"
#include "testing/machine_peak.h"

namespace eyrie::testing {
namespace {

void print_bench(const Case& one) {
  Exec exec;
  const Workload work = one.bench(exec);
  const double peak_flops = fma_peak_flops();
  const double peak_bytes = work.bytes > 0 ? read_bandwidth_bytes_per_second() : 0;
  const Timing timing = time_calls([&] { work.call(exec); });
  const double seconds = timing.median_ms * 1e-3;
  fmt::print("{:<60} {:>9.3f} ms", one.name, timing.median_ms);
  if (work.flops > 0)
    fmt::print("  {:>7.1f} GFLOP/s ({:.0f} % of {:.0f})", work.flops / seconds * 1e-9,
               100 * work.flops / seconds / peak_flops, peak_flops * 1e-9);
  if (work.bytes > 0)
    fmt::print("  {:>6.1f} GB/s ({:.0f} % of {:.1f})", work.bytes / seconds * 1e-9,
               100 * work.bytes / seconds / peak_bytes, peak_bytes * 1e-9);
  fmt::print("  best {:.3f} ms of {}\n", timing.best_ms, timing.calls);
}

std::string modes_of(const Case& one) {
  std::string text;
  for (const auto& [mode, word] : {std::pair{Mode::check, "check"}, {Mode::grad, "grad"}, {Mode::bench, "bench"}})
    if (has_mode(one, mode)) text += text.empty() ? word : std::string(" ") + word;
  return text;
}

}  // namespace

bool has_mode(const Case& one, Mode mode) {
  if (mode == Mode::check) return static_cast<bool>(one.check);
  if (mode == Mode::grad) return static_cast<bool>(one.grad);
  return mode == Mode::list || one.bench;
}

std::string failures(const Case& one, Mode mode) {
  Exec exec;
  std::string lines;
  for (const Comparison& result : mode == Mode::grad ? one.grad(exec) : one.check(exec))
    if (!result.passed()) lines += one.name + ": " + result.text() + "\n";
  return lines;
}

Timing time_calls(const std::function<void()>& call, double at_least_seconds) {
  constexpr size_t kFewest = 5;
  call();  // scratch grows and pages are touched outside the timing
  std::vector<double> milliseconds;
  Stopwatch whole;
  while (milliseconds.size() < kFewest || whole.seconds() < at_least_seconds) {
    Stopwatch watch;
    call();
    milliseconds.push_back(watch.seconds() * 1e3);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return {milliseconds[milliseconds.size() / 2], milliseconds.front(), static_cast<int>(milliseconds.size())};
}

int run_cases(const CaseList& cases, Mode mode, std::string_view filter) {
  int failed = 0;
  for (const Case& one : cases) {
    if (one.name.find(filter) == std::string::npos || !has_mode(one, mode)) continue;
    if (mode == Mode::list) {
      fmt::print("{:<60} {}\n", one.name, modes_of(one));
    } else if (mode == Mode::bench) {
      print_bench(one);
    } else {
      const std::string lines = failures(one, mode);
      fmt::print("{:<60} {}\n{}", one.name, lines.empty() ? "ok" : "FAILED", lines);
      failed += !lines.empty();
    }
  }
  return failed;
}

}  // namespace eyrie::testing
