#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
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

// Those of the affinity mask, as far as the cgroup's quota goes.
int64_t processors() {
  cpu_set_t mask;
  const int64_t count = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : kMostThreads;
  const int64_t quota = processors_of_cgroup();
  return quota ? std::min(count, quota) : count;
}

int64_t threads_of_environment() {  // 0: it does not say
  const char* text = std::getenv("OMP_NUM_THREADS");
  int64_t count = 0;
  if (text) std::from_chars(text, text + std::strlen(text), count);
  return std::max<int64_t>(count, 0);
}

std::atomic<int64_t> threads{0};  // 0: not known yet

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

std::string machine_name() { return processor_name() + ", " + std::to_string(thread_count()) + " threads"; }

int64_t processors_of_quota(const char* cpu_max) {
  int64_t quota = 0, period = 0;
  std::istringstream text(cpu_max);
  return text >> quota >> period && quota > 0 && period > 0 ? (quota + period - 1) / period : 0;
}

void set_thread_count(int64_t asked) {
  const int64_t by_variable = asked ? 0 : threads_of_environment();
  const int64_t count = asked ? asked : by_variable ? by_variable : processors();
  if (count > kMostThreads)
    throw Error(ErrorKind::usage, asked ? "threads" : "OMP_NUM_THREADS",
                "expected at most " + std::to_string(kMostThreads) + " threads, found " + std::to_string(count));
  threads = count;
}

int64_t thread_count() {
  if (threads == 0) set_thread_count(0);
  return threads;
}

}  // namespace eyrie
