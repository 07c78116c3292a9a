// ops/parallel.h: loops cut over the threads, of a crew when there is one. A loop of few `operations` (multiply-adds or
// the like) runs on the calling thread: waking the others would take longer. What is computed may not depend on the
// cuts.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "tensor/exec.h"

namespace eyrie {

// work(thread, threads) on each of them.
template <typename Work>
void for_each_thread(Exec& exec, int64_t operations, const Work& work) {
  constexpr int64_t kFewOperations = int64_t{1} << 17, kFewForCrew = int64_t{1} << 14;  // a crew is awake
  if (operations < (exec.crew ? kFewForCrew : kFewOperations)) return work(int64_t{0}, int64_t{1});
  if (exec.crew)  // by value: the others read what a loop needs from one place
    return exec.crew->run([work, threads = exec.crew->threads()](int64_t thread) { work(thread, threads); });
#pragma omp parallel
  work(int64_t{omp_get_thread_num()}, int64_t{omp_get_num_threads()});
}

struct Share {
  int64_t begin, end;
};
// One thread's contiguous part of 0..count, perhaps none: begin is a multiple of `grain`. The same in every call.
inline Share share_of(int64_t count, int64_t grain, int64_t thread, int64_t threads) {
  const int64_t grains = (count + grain - 1) / grain;
  return {grains * thread / threads * grain, std::min(grains * (thread + 1) / threads * grain, count)};
}

// work(begin, end) for each thread's share of 0..count.
template <typename Work>
void for_each_range(Exec& exec, int64_t count, int64_t grain, int64_t operations, const Work& work) {
  for_each_thread(exec, count <= grain ? 0 : operations, [work, count, grain](int64_t thread, int64_t threads) {
    const Share share = share_of(count, grain, thread, threads);
    if (share.begin < share.end) work(share.begin, share.end);
  });
}

}  // namespace eyrie
