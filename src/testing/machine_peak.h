// testing/machine_peak.h: what this machine can do, measured in this process with all threads. Takes a fraction
// of a second each; not cached, so that a ratio uses a figure of the same moment.
#pragma once
#include <cstdint>

namespace eyrie::testing {

double fma_peak_flops();  // fp32 multiply-adds from registers, 2 FLOPs each
// Reading `footprint_bytes` in all (split over the threads) again and again: the rate of the cache that holds them.
double read_bandwidth_bytes_per_second(int64_t footprint_bytes);
// A crew's empty loop: from the calling core to the others and back. It tells how far from each other they are.
double hand_over_seconds();

}  // namespace eyrie::testing
