#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>

#include "app/bench/parts.h"
#include "attention/attention_cases.h"
#include "base/error.h"
#include "ops/ops_cases.h"
#include "testing/harness.h"

namespace eyrie {
namespace {

template <void (*Add)(testing::CaseList&)>
void bench_cases(const BenchOptions& options) {
  testing::CaseList cases;
  Add(cases);
  std::erase_if(cases, [](const testing::Case& one) { return !testing::has_mode(one, testing::Mode::bench); });
  testing::run_cases(cases, options.list ? testing::Mode::list : testing::Mode::bench, options.filter);
}

struct Part {
  const char *name, *summary;
  void (*run)(const BenchOptions&);
  bool has_cases = false;  // run() lists them
};
constexpr Part kParts[] = {
    {"machine", "what this machine can do", bench_machine},
    {"ops", "linear layers of a decode step and of training, norm, activation", bench_cases<add_ops_cases>, true},
    {"attention", "suffix attention of training, paged attention of serving", bench_cases<add_attention_cases>, true},
    {"decode", "a 1B-shaped random target, bf16: weights read per token", bench_decode},
    {"speculation", "a target's rows and a draft's steps: what a cycle costs", bench_speculation},
    {"training", "a step of training: each kind of work beside sgemm", bench_training},
};

bool wanted(const Part& part, const BenchOptions& options) {
  return options.parts.empty() || std::ranges::count(options.parts, part.name) > 0;
}

void check_names(const BenchOptions& options) {
  std::vector<std::string> known;
  for (const Part& part : kParts) known.push_back(part.name);
  for (const std::string& name : options.parts)
    if (std::ranges::count(known, name) == 0)
      throw Error(ErrorKind::usage, "eyrie bench",
                  fmt::format("no part '{}'; known: {}", name, fmt::join(known, ", ")));
}

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} << 10;
}

}  // namespace

void run_bench(const BenchOptions& options) {
  check_names(options);
  if (options.device == "cuda") {
    if (options.parts != std::vector<std::string>{"attention"})
      throw Error(ErrorKind::usage, "eyrie bench", "on cuda there is one part: attention");
    return bench_gpu_attention(options);
  }
  for (const Part& part : kParts) {
    if (!wanted(part, options)) continue;
    if (options.list) fmt::print("{:<12} {}\n", part.name, part.summary);
    if (!options.list || part.has_cases) part.run(options);
  }
  if (!options.list) fmt::print("\nmost memory in use: {} MiB\n", peak_resident_bytes() >> 20);
}

}  // namespace eyrie
