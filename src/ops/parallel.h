// ops/parallel.h: a loop over 0..count cut into one contiguous range per thread; work(begin, end) each, with begin a
// multiple of `grain`. A loop of few `operations` (multiply-adds or the like) runs on the calling thread: waking the
// others would take longer. What is computed may not depend on the cuts. Private to the room.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace eyrie {

inline constexpr int64_t kFewOperations = int64_t{1} << 16;  // about a microsecond

template <typename Work>
void for_each_range(int64_t count, int64_t grain, int64_t operations, const Work& work) {
  if (count <= grain || operations < 2 * kFewOperations) return work(int64_t{0}, count);
#pragma omp parallel
  {
    const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num(), grains = (count + grain - 1) / grain;
    const int64_t begin = grains * thread / threads * grain, end = grains * (thread + 1) / threads * grain;
    if (begin < std::min(end, count)) work(begin, std::min(end, count));
  }
}

}  // namespace eyrie
