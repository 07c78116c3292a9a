#include <fmt/core.h>

#include "app/bench/parts.h"
#include "base/threads.h"
#include "testing/machine_peak.h"

namespace eyrie {
void bench_machine(const BenchOptions&) {
  constexpr int64_t kMiB = int64_t{1} << 20;
  fmt::print("\n{}\n", machine_name());
  fmt::print("{:<36}{:>8.1f} GFLOP/s\n", "fp32 multiply-adds in registers", testing::fma_peak_flops() * 1e-9);
  fmt::print("{:<36}{:>8.2f} us\n", "a loop to the other threads and back", testing::hand_over_seconds() * 1e6);
  for (const int64_t mib : {1, 4, 12, 512})
    fmt::print("{:<36}{:>8.1f} GB/s\n", fmt::format("reading {} MiB again and again", mib),
               testing::read_bandwidth_bytes_per_second(mib * kMiB) * 1e-9);
}

}  // namespace eyrie
