// ops/parallel.h: loops cut over the threads of a crew. A loop of few `operations` (multiply-adds or the like) runs on
// the calling thread: handing it out would take longer. What is computed may not depend on the cuts. Loops do not nest.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/threads.h"
#include "tensor/exec.h"

namespace eyrie {

// work(thread, threads) on each of them.
template <typename Work>
void for_each_thread(Exec& exec, int64_t operations, const Work& work) {
  constexpr int64_t kFewOperations = int64_t{1} << 14, kFewToWakeFor = int64_t{1} << 17;
  if (operations < kFewOperations || thread_count() == 1) return work(int64_t{0}, int64_t{1});
  Crew& crew = exec.crew();
  if (operations < kFewToWakeFor && !crew.awake()) return work(int64_t{0}, int64_t{1});
  // By value: the others read what a loop needs from one place.
  crew.run([work, threads = crew.threads()](int64_t thread) { work(thread, threads); });
}

struct Share {
  int64_t begin, end;
};
// One thread's contiguous part of 0..count, perhaps none: begin is a multiple of `grain`. The same in every call.
inline Share share_of(int64_t count, int64_t grain, int64_t thread, int64_t threads) {
  const int64_t grains = (count + grain - 1) / grain;
  return {grains * thread / threads * grain, std::min(grains * (thread + 1) / threads * grain, count)};
}

// work(begin, end) for each thread's share of 0..count: small loops, whose data stay with their threads.
template <typename Work>
void for_each_range(Exec& exec, int64_t count, int64_t grain, int64_t operations, const Work& work) {
  for_each_thread(exec, count <= grain ? 0 : operations, [work, count, grain](int64_t thread, int64_t threads) {
    const Share share = share_of(count, grain, thread, threads);
    if (share.begin < share.end) work(share.begin, share.end);
  });
}

// work(thread, item) for 0..count: large items, each taken by whoever is free.
template <typename Work>
void for_each_item(Exec& exec, int64_t count, int64_t operations, const Work& work) {
  std::atomic<int64_t> next{0};
  for_each_thread(exec, count <= 1 ? 0 : operations, [&work, &next, count](int64_t thread, int64_t) {
    for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(thread, item);
  });
}

}  // namespace eyrie
