#include "testing/harness.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "base/time.h"
#include "cuda/profile.h"
#include "testing/gpu_rate.h"
#include "testing/machine_peak.h"

namespace eyrie::testing {
namespace {

struct Measurement {
  double median_ms = 0;
  double rate = 0, limit = 0;  // FLOP/s or bytes/s, medians
  double share = 0;
};

double limit_of(Exec& exec, const Workload& work) {
  constexpr double kFarBeyondCaches = 512 << 20;
  if (exec.device == Device::cuda) return work.bytes > 0 ? gpu_copy_bytes(exec) : gpu_matmul_flops(exec);
  if (work.bytes > 0)
    return read_bandwidth_bytes_per_second(static_cast<int64_t>(std::min(work.bytes, kFarBeyondCaches)));
  return fma_peak_flops();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

Measurement measure(Exec& exec, const Workload& work) {
  constexpr int kRounds = 5;
  constexpr double kRoundSeconds = 0.1;
  work.call(exec);  // scratch grows and pages are touched outside the timing
  const double amount = work.bytes > 0 ? work.bytes : work.flops;
  std::vector<double> milliseconds, limits, shares;
  for (int round = 0; round < kRounds; ++round) {
    if (amount > 0) limits.push_back(limit_of(exec, work));
    milliseconds.push_back(median_ms(
        exec, [&] { work.call(exec); }, kRoundSeconds));
    if (amount > 0) shares.push_back(amount / (milliseconds.back() * 1e-3) / limits.back());
  }
  return {.median_ms = median(milliseconds),
          .rate = amount / (median(milliseconds) * 1e-3),
          .limit = median(limits),
          .share = median(shares)};
}

// What stands in the first column: text too long for it gets a line of its own.
std::string_view first_column(std::string_view text) {
  constexpr size_t kWidth = 36;
  if (text.size() <= kWidth) return text;
  fmt::print("{}\n", text);
  return "";
}

void print_head(std::string_view title) {
  fmt::print("\n");
  fmt::print("{:<36}{:>9}{:>8} {:<7}{:>7}{:>6}{:>6}\n", first_column(title), "ms", "rate", "", "of", "share", "MiB");
}

void print_line(std::string_view name, const Measurement& found, bool reads) {
  fmt::print("{:<36}{:>9.3f}", first_column(name), found.median_ms);
  if (found.rate == 0) return;
  const bool tera = found.limit >= 1e13;
  const double unit = tera ? 1e-12 : 1e-9;
  fmt::print("{:>8.1f} {:<7}{:>7.1f}{:>4.0f} %", found.rate * unit,
             reads  ? "GB/s"
             : tera ? "TFLOP/s"
                    : "GFLOP/s",
             found.limit * unit, 100 * found.share);
}

void print_parts(const Workload& work, const Measurement& whole) {
  if (!work.parts) return;
  double total = 0;
  for (const Workload::Part& part : work.parts()) total += part.seconds;
  for (const auto& [name, seconds, flops] : work.parts()) {
    const double rate = flops / seconds;
    print_line(fmt::format("  {}, {:.1f} % of it", name, 100 * seconds / total),
               {.median_ms = seconds * 1e3, .rate = rate, .limit = whole.limit, .share = rate / whole.limit}, false);
    fmt::print("\n");
  }
}

void run_bench(const Case& one, std::string_view line) {
  Exec exec(one.device, one.activations);
  const Workload work = one.bench(exec);
  if (!work.about.empty()) fmt::print("{}\n", work.about);
  const Measurement found = measure(exec, work);
  print_line(line, found, work.bytes > 0);
  fmt::print("{:>6.1f}\n", static_cast<double>(exec.scratch.reserved_bytes()) / (1 << 20));
  print_parts(work, found);
  if (work.kernels) print_kernels(exec, work.call);
  std::fflush(stdout);
}

// Of one call, by the device's own clock.
double milliseconds_of(Exec& exec, const std::function<void()>& call) {
  if constexpr (kHasCuda) {
    if (exec.device == Device::cuda) {
      cuda::Event begin = cuda::Event::create(), end = cuda::Event::create();
      begin.record(exec.stream);
      call();
      end.record(exec.stream);
      end.synchronize();
      return end.milliseconds_since(begin);
    }
  }
  const Stopwatch watch;
  call();
  return watch.seconds() * 1e3;
}

}  // namespace

void add_on_every_device(CaseList& cases, const Case& one) {
  cases.push_back(one);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    if (!kHasCuda) return;
    Case& gpu = cases.emplace_back(one);
    gpu.name += fmt::format(" cuda {}", name(dtype));
    gpu.device = Device::cuda, gpu.activations = dtype;
  }
}

bool has_mode(const Case& one, Mode mode) { return static_cast<bool>(mode == Mode::check ? one.check : one.grad); }

std::string failures(const Case& one, Mode mode) {
  Exec exec(one.device, one.activations);
  std::string lines;
  for (const Comparison& result : mode == Mode::grad ? one.grad(exec) : one.check(exec))
    if (!result.passed()) lines += one.name + ": " + result.text() + "\n";
  return lines;
}

double median_ms(Exec& exec, const std::function<void()>& call, double at_least_seconds) {
  constexpr size_t kFewest = 3;
  std::vector<double> milliseconds;
  const Stopwatch whole;
  while (milliseconds.size() < kFewest || whole.seconds() < at_least_seconds)
    milliseconds.push_back(milliseconds_of(exec, call));
  return median(std::move(milliseconds));
}

void print_kernels(Exec& exec, const std::function<void(Exec&)>& call) {
  if constexpr (kHasCuda) {
    cuda::Profile profile;
    exec.stream.profile = &profile;
    call(exec);
    exec.stream.profile = nullptr;
    const double flops_limit = gpu_matmul_flops(exec), bytes_limit = gpu_copy_bytes(exec);
    fmt::print("  {:<30}{:>4}{:>10}{:>9}{:>9}{:>8}\n", "its kernels", "", "ms", "TFLOP/s", "GB/s", "share");
    for (const cuda::Profile::Row& row : profile.rows()) {
      const double seconds = row.milliseconds * 1e-3;
      const double multiply = row.flops / flops_limit, move = row.bytes / bytes_limit;
      fmt::print("  {:<30}{:>4}{:>10.3f}{:>9.1f}{:>9.0f}{:>6.0f} % of {}\n", row.kernel, row.launches, row.milliseconds,
                 row.flops / seconds * 1e-12, row.bytes / seconds * 1e-9, 100 * std::max(multiply, move) / seconds,
                 multiply > move ? "tensor cores" : "memory");
    }
  }
}

void run_benches(const CaseList& cases) {
  std::string operation;
  for (const Case& one : cases) {
    const size_t slash = one.name.find('/');
    const std::string head = one.name.substr(0, slash), line = one.name.substr(slash + 1);
    if (head != operation) print_head(operation = head);
    try {
      run_bench(one, line);
    } catch (const Error& error) {
      if (one.device == Device::cpu) throw;
      fmt::print("{:<36} {}\n", first_column(line), error.what());
    }
  }
}

}  // namespace eyrie::testing
