#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>

#include "app/commands.h"
#include "attention/attention_cases.h"
#include "base/error.h"
#include "base/threads.h"
#include "ops/ops_cases.h"
#include "speculative/speculative_cases.h"
#include "testing/machine_peak.h"
#include "train/train_cases.h"

namespace eyrie {
namespace {

using testing::CaseList;

void print_machine() {
  constexpr int64_t kMiB = int64_t{1} << 20;
  fmt::print("\n{}\n", machine_name());
  fmt::print("{:<36}{:>8.1f} GFLOP/s\n", "fp32 multiply-adds in registers", testing::fma_peak_flops() * 1e-9);
  fmt::print("{:<36}{:>8.2f} us\n", "a loop to the other threads and back", testing::hand_over_seconds() * 1e6);
  for (const int64_t mib : {1, 4, 12, 512})
    fmt::print("{:<36}{:>8.1f} GB/s\n", fmt::format("reading {} MiB again and again", mib),
               testing::read_bandwidth_bytes_per_second(mib * kMiB) * 1e-9);
}

struct Part {
  const char *name, *summary;
  void (*add_cases)(CaseList&, const BenchOptions&);
  void (*print)(const BenchOptions&) = [](const BenchOptions&) {};  // what is no case, on the CPU
};
constexpr Part kParts[] = {
    {"machine", "what this machine can do", [](CaseList&, const BenchOptions&) {},
     [](const BenchOptions&) { print_machine(); }},
    {"ops", "linear layers of a decode step and of training, norm, activation",
     [](CaseList& cases, const BenchOptions&) { add_ops_cases(cases); }},
    {"attention", "suffix attention of training, paged attention of serving",
     [](CaseList& cases, const BenchOptions&) { add_attention_cases(cases); }},
    {"decode", "a 1B-shaped random target, bf16: weights read per token",
     [](CaseList& cases, const BenchOptions&) { add_decode_cases(cases); }},
    {"speculation", "a target's rows and a draft's steps: what a cycle costs",
     [](CaseList& cases, const BenchOptions& o) { add_speculation_cases(cases, o.model); },
     [](const BenchOptions& o) { print_cycle_costs(o.model); }},
    {"training", "a step of training: each kind of work beside the FMA peak",
     [](CaseList& cases, const BenchOptions& o) { add_training_cases(cases, o.model); }},
    {"train", "on cuda: a step of an 8B-shaped draft, taps given", [](CaseList&, const BenchOptions&) {},
     [](const BenchOptions& o) {
       if (o.device == Device::cuda) bench_device_steps(o.filter);
     }},
};

CaseList timed_cases(const Part& part, const BenchOptions& options) {
  CaseList cases;
  part.add_cases(cases, options);
  std::erase_if(cases, [&](const testing::Case& one) {
    return !one.bench || one.device != options.device || one.name.find(options.filter) == std::string::npos;
  });
  return cases;
}

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::usage, "eyrie bench", message); }

void check_names(const BenchOptions& options) {
  std::vector<std::string> known;
  for (const Part& part : kParts) known.push_back(part.name);
  for (const std::string& name : options.parts)
    if (std::ranges::count(known, name) == 0)
      refuse(fmt::format("no part '{}'; known: {}", name, fmt::join(known, ", ")));
  for (const std::string& name : options.parts)
    if (options.device == Device::cuda && name != "attention" && name != "ops" && name != "train")
      refuse(fmt::format("on cuda there are attention, ops and train, found {}", name));
  if (options.device == Device::cuda && options.parts.empty()) refuse("on cuda name a part: attention, ops or train");
}

// Of one part; false when the filter takes nothing of it.
bool run_part(const Part& part, const BenchOptions& options) {
  const CaseList cases = timed_cases(part, options);
  if (options.list) {
    if (cases.empty() && !options.filter.empty()) return false;
    fmt::print("{:<12} {}\n", part.name, part.summary);
    for (const testing::Case& one : cases) fmt::print("{:<60} bench\n", one.name);
    return true;
  }
  testing::run_benches(cases);
  if (options.device == Device::cuda && part.name == std::string_view("attention"))
    return print_gpu_attention_errors(options.filter) || !cases.empty();
  if (options.filter.empty() || options.device == Device::cuda) part.print(options);
  return options.filter.empty() || !cases.empty();
}

// Error{device} when there is none.
void print_gpu() {
  const Exec exec(Device::cuda);
  if constexpr (kHasCuda) fmt::print("\n{}\n", cuda::device_properties().name);
}

void print_most_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("\nmost memory in use: {} MiB\n", usage.ru_maxrss >> 10);
}

}  // namespace

void run_bench(const BenchOptions& options) {
  check_names(options);
  if (options.device == Device::cuda && !options.list) print_gpu();
  bool found = false;
  for (const Part& part : kParts)
    if (options.parts.empty() || std::ranges::count(options.parts, part.name) > 0) found |= run_part(part, options);
  if (!found)
    refuse(
        fmt::format("--only: expected a part of the name of a case (--list names them), found \"{}\"", options.filter));
  if (!options.list && options.device == Device::cpu) print_most_memory();
}

}  // namespace eyrie
