#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "app/bench/decoding.h"
#include "app/bench/parts.h"
#include "model/random_model.h"

namespace eyrie {
namespace {

constexpr int64_t kChain = 4, kDraftVocabulary = 1024;

// Milliseconds of each part of a cycle, measured in turn; medians of the rounds, and of their ratios to a plain step.
struct Cost {
  const char* name;
  std::function<void()> call;
  std::vector<double> ms = {}, of_plain = {};
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void measure_in_turn(std::vector<Cost>& costs) {
  constexpr int kRounds = 9;
  constexpr double kSeconds = 0.04;
  for (int round = 0; round < kRounds; ++round)
    for (Cost& cost : costs) {
      cost.ms.push_back(testing::median_ms(cost.call, kSeconds));
      cost.of_plain.push_back(cost.ms.back() / costs.front().ms.back());
    }
}

void print_costs(const std::vector<Cost>& costs) {
  fmt::print("\n{:<36}{:>9}{:>16}\n", "parts of a cycle", "ms", "of a plain step");
  for (const Cost& cost : costs)
    fmt::print("{:<36}{:>9.3f}{:>16.2f}\n", cost.name, median(cost.ms), median(cost.of_plain));
}

// A cycle keeps `length` tokens on average: it verifies, extends as many slots, and steps for the rest of the chain.
void print_speed_up(const std::vector<Cost>& costs) {
  const double verify = median(costs[1].of_plain), step = median(costs[4].of_plain);
  const double extend_one = median(costs[2].of_plain), extend_all = median(costs[3].of_plain);
  fmt::print("\n{:<36}{:>9}{:>16}\n", fmt::format("chain of {}, at accept length", kChain), "speed-up",
             "cycle / plain");
  for (const double length : {1.0, 2.0, 2.5, 3.0, 3.2, 3.5, 4.0, 4.5}) {
    const double extend = extend_one + (length - 1) / kChain * (extend_all - extend_one);
    const double cycle = verify + extend + (kChain - 1) * step;
    fmt::print("{:<36.1f}{:>9.2f}{:>16.2f}\n", length, length / cycle, cycle);
  }
}

}  // namespace

void bench_speculation(const BenchOptions& options) {
  const Target target = load_target(options.model);
  const DraftConfig config = derive_draft_config(target.config, std::min(kDraftVocabulary, target.config.vocabulary));
  const Draft draft = random_draft("bench_speculation", config, heads_of(target), DType::bf16);
  DecodingBench bench(target, &draft);
  const double bytes = weight_bytes_per_row(target);
  const auto print = [&](const char* name, auto&& call) {
    testing::print_measurement(name, testing::measure(bench.exec(), {.bytes = bytes, .call = [&](Exec&) { call(); }}));
  };
  const std::string name = std::filesystem::path(options.model).filename();
  testing::print_measurement_head(fmt::format("{}, {:.1f} MB of weights", name, bytes * 1e-6));
  print("linear layers, 1 row", [&] { bench.linear_layers(1, 1); });
  print("linear layers, 5 rows", [&] { bench.linear_layers(kChain + 1, kChain + 1); });
  print("decode, 1 row", [&] { bench.verify(1); });
  print_many_rows(bench, "prefill", 40, [&] { bench.prefill(40); });
  std::vector<Cost> costs = {{"plain step: 1 row", [&] { bench.verify(1); }},
                             {"verify: 5 rows", [&] { bench.verify(kChain + 1); }},
                             {"draft extension: 1 slot", [&] { bench.extend(1); }},
                             {"draft extension: 5 slots", [&] { bench.extend(kChain + 1); }},
                             {"draft step", [&] { bench.step(); }}};
  measure_in_turn(costs);
  print_costs(costs);
  print_speed_up(costs);
}

}  // namespace eyrie
