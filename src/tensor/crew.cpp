#include "tensor/crew.h"

#include <omp.h>

#include <exception>
#include <optional>
#include <thread>

#include "tensor/exec.h"

namespace eyrie {

void Crew::serve(int64_t thread) {
  for (int64_t loop = 1;; ++loop) {
    wait_for(loops_.begun, loop);
    if (!loops_.call) return;
    loops_.call(loops_.work, thread);
    finished_[static_cast<size_t>(thread)].loops.store(loop, std::memory_order_release);
  }
}

// After a while the processor is given away: what is waited for may need it.
void Crew::wait_for(const std::atomic<int64_t>& count, int64_t value) {
  constexpr int kSpins = 1 << 11;
  for (int spins = 0; count.load(std::memory_order_acquire) != value; ++spins) {
    if (spins >= kSpins) std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

void with_crew(Exec& exec, const std::function<void()>& body) {
  if (exec.crew || omp_in_parallel() || omp_get_max_threads() == 1) return body();
  std::exception_ptr error;
  std::optional<Crew> crew;
#pragma omp parallel
  {
#pragma omp single
    crew.emplace(omp_get_num_threads());
    if (omp_get_thread_num() > 0) {
      crew->serve(omp_get_thread_num());
    } else {
      exec.crew = &*crew;
      try {
        body();
      } catch (...) {
        error = std::current_exception();  // an exception may not leave the region
      }
      exec.crew = nullptr;
      crew->dismiss();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace eyrie
