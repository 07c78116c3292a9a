// base/threads.h: how many threads loops run on.
#pragma once
#include <cstdint>
#include <string>

namespace eyrie {

inline constexpr int64_t kMostThreads = 1024;

// As many as are asked for; 0: OMP_NUM_THREADS, or else one for each processor that affinity mask and cgroup leave this
// process. Error{usage} when that is more than kMostThreads. Between loops only.
void set_thread_count(int64_t asked);
int64_t thread_count();  // as set, else as by set_thread_count(0)

// The processor and how many threads loops run on: "AMD EPYC 9B14, 2 threads".
std::string machine_name();

// What a cgroup's cpu.max says ("200000 100000": two), rounded up; 0: no limit.
int64_t processors_of_quota(const char* cpu_max);

}  // namespace eyrie
