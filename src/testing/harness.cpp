#include "testing/harness.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "base/time.h"
#include "testing/machine_peak.h"

namespace eyrie::testing {
namespace {

double limit_of(const Workload& work) {
  constexpr double kFarBeyondCaches = 512 << 20;
  if (work.bytes > 0)
    return read_bandwidth_bytes_per_second(static_cast<int64_t>(std::min(work.bytes, kFarBeyondCaches)));
  return fma_peak_flops();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// What stands in the first column: text too long for it gets a line of its own.
std::string_view first_column(std::string_view text) {
  constexpr size_t kWidth = 36;
  if (text.size() <= kWidth) return text;
  fmt::print("{}\n", text);
  return "";
}

// Cases of one operation stand in one table under its name.
void print_bench(const Case& one, std::string& operation) {
  const size_t slash = one.name.find('/');
  const std::string head = one.name.substr(0, slash);
  if (head != operation) print_measurement_head(operation = head);
  Exec exec(one.device);
  print_measurement(slash == std::string::npos ? one.name : one.name.substr(slash + 1), measure(exec, one.bench(exec)));
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
  Exec exec(one.device);
  std::string lines;
  for (const Comparison& result : mode == Mode::grad ? one.grad(exec) : one.check(exec))
    if (!result.passed()) lines += one.name + ": " + result.text() + "\n";
  return lines;
}

double median_ms(const std::function<void()>& call, double at_least_seconds) {
  constexpr size_t kFewest = 3;
  std::vector<double> milliseconds;
  const Stopwatch whole;
  while (milliseconds.size() < kFewest || whole.seconds() < at_least_seconds) {
    const Stopwatch watch;
    call();
    milliseconds.push_back(watch.seconds() * 1e3);
  }
  return median(std::move(milliseconds));
}

Measurement measure(Exec& exec, const Workload& work) {
  constexpr int kRounds = 5;
  constexpr double kRoundSeconds = 0.1;
  work.call(exec);  // scratch grows and pages are touched outside the timing
  const double amount = work.bytes > 0 ? work.bytes : work.flops;
  std::vector<double> milliseconds, limits, shares;
  for (int round = 0; round < kRounds; ++round) {
    limits.push_back(limit_of(work));
    milliseconds.push_back(median_ms([&] { work.call(exec); }, kRoundSeconds));
    shares.push_back(amount / (milliseconds.back() * 1e-3) / limits.back());
  }
  return {.median_ms = median(milliseconds),
          .rate = amount / (median(milliseconds) * 1e-3),
          .limit = median(limits),
          .share = median(shares),
          .reads = work.bytes > 0,
          .scratch_bytes = exec.scratch.reserved_bytes()};
}

void print_measurement_head(std::string_view title) {
  fmt::print("\n");
  fmt::print("{:<36}{:>9}{:>8} {:<7}{:>7}{:>6}{:>6}\n", first_column(title), "ms", "rate", "", "of", "share", "MiB");
}

void print_measurement(std::string_view name, const Measurement& found) {
  fmt::print("{:<36}{:>9.3f}{:>8.1f} {:<7}{:>7.1f}{:>4.0f} %{:>6.1f}\n", first_column(name), found.median_ms,
             found.rate * 1e-9, found.reads ? "GB/s" : "GFLOP/s", found.limit * 1e-9, 100 * found.share,
             static_cast<double>(found.scratch_bytes) / (1 << 20));
  std::fflush(stdout);
}

int run_cases(const CaseList& cases, Mode mode) {
  int failed = 0;
  std::string operation;
  for (const Case& one : cases) {
    if (!has_mode(one, mode)) continue;
    if (mode == Mode::list) {
      fmt::print("{:<60} {}\n", one.name, modes_of(one));
    } else if (mode == Mode::bench) {
      print_bench(one, operation);
    } else {
      const std::string lines = failures(one, mode);
      fmt::print("{:<60} {}\n{}", one.name, lines.empty() ? "ok" : "FAILED", lines);
      failed += !lines.empty();
    }
  }
  return failed;
}

}  // namespace eyrie::testing
