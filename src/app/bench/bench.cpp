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

void no_cases(testing::CaseList&) {}
void nothing_else(const BenchOptions&) {}

struct Part {
  const char *name, *summary;
  void (*run)(const BenchOptions&);  // as a whole: what has no cases
  void (*add_cases)(testing::CaseList&) = no_cases;
};
constexpr Part kParts[] = {
    {"machine", "what this machine can do", bench_machine},
    {"ops", "linear layers of a decode step and of training, norm, activation", nothing_else, add_ops_cases},
    {"attention", "suffix attention of training, paged attention of serving", nothing_else, add_attention_cases},
    {"decode", "a 1B-shaped random target, bf16: weights read per token", bench_decode},
    {"speculation", "a target's rows and a draft's steps: what a cycle costs", bench_speculation},
    {"training", "a step of training: each kind of work beside the FMA peak", bench_training},
};

bool wanted(const Part& part, const BenchOptions& options) {
  return options.parts.empty() || std::ranges::count(options.parts, part.name) > 0;
}

testing::CaseList timed_cases(const Part& part, const std::string& filter) {
  testing::CaseList cases;
  part.add_cases(cases);
  std::erase_if(cases, [&](const testing::Case& one) {
    return !testing::has_mode(one, testing::Mode::bench) || one.name.find(filter) == std::string::npos;
  });
  return cases;
}

[[noreturn]] void refuse_filter(const BenchOptions& options, const char* named) {
  throw Error(ErrorKind::usage, "eyrie bench",
              fmt::format("--only: expected a part of the name of {}, found \"{}\"", named, options.filter));
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
    if (!bench_gpu_attention(options)) refuse_filter(options, "a line (without --only all are printed)");
    return;
  }
  bool found = false;
  for (const Part& part : kParts) {
    if (!wanted(part, options)) continue;
    const testing::CaseList cases = timed_cases(part, options.filter);
    if (cases.empty() && !options.filter.empty()) continue;
    found = true;
    if (options.list)
      fmt::print("{:<12} {}\n", part.name, part.summary);
    else
      part.run(options);
    testing::run_cases(cases, options.list ? testing::Mode::list : testing::Mode::bench);
  }
  if (!found) refuse_filter(options, "a case (--list names them)");
  if (!options.list) fmt::print("\nmost memory in use: {} MiB\n", peak_resident_bytes() >> 20);
}

}  // namespace eyrie
