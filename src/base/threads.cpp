#include "base/threads.h"

#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"

namespace eyrie {
namespace {

// The smallest quota of this process's group and those around it; 0: none.
int64_t processors_of_cgroup() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line, group;
  while (std::getline(groups, line))
    if (line.starts_with("0::")) group = line.substr(3);
  int64_t least = 0;
  for (std::filesystem::path path = group;; path = path.parent_path()) {
    std::ifstream file("/sys/fs/cgroup" + path.string() + "/cpu.max");
    if (std::string quota; std::getline(file, quota))
      if (const int64_t found = processors_of_quota(quota.c_str())) least = least ? std::min(least, found) : found;
    if (path.empty() || path == path.parent_path()) return least;
  }
}

}  // namespace

int64_t processors_of_quota(const char* cpu_max) {
  int64_t quota = 0, period = 0;
  std::istringstream text(cpu_max);
  return text >> quota >> period && quota > 0 && period > 0 ? (quota + period - 1) / period : 0;
}

void set_thread_count(int64_t asked) {
  int64_t count = asked ? asked : omp_get_max_threads();  // OpenMP knows its variable and the affinity mask
  if (count > kMostThreads)
    throw Error(ErrorKind::usage, asked ? "threads" : "OMP_NUM_THREADS",
                "expected at most " + std::to_string(kMostThreads) + " threads, found " + std::to_string(count));
  if (!asked && !std::getenv("OMP_NUM_THREADS"))
    if (const int64_t quota = processors_of_cgroup()) count = std::min(count, quota);
  omp_set_num_threads(static_cast<int>(count));
}

}  // namespace eyrie
