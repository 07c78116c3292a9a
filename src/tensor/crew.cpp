#include "tensor/crew.h"

#include <omp.h>

#include <exception>
#include <optional>
#include <thread>

#include "tensor/exec.h"

namespace eyrie {

namespace {

// After a while the processor is given away: what is waited for may need it.
template <typename Ready>
void spin_until(const Ready& ready) {
  constexpr int kSpins = 1 << 11;
  for (int spins = 0; !ready(); ++spins) {
    if (spins >= kSpins) std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

}  // namespace

void Crew::serve(int64_t thread) {
  for (int64_t seen = 0, loop = 0;; seen = loop) {
    spin_until([&] { return (loop = loops_.begun.load(std::memory_order_acquire)) != seen; });
    if (!claim(thread, loop)) continue;  // it came late: others have done its share
    if (!loops_.call) return;
    loops_.call(loops_.work, thread);
    shares_[static_cast<size_t>(thread)].finished.store(loop, std::memory_order_release);
  }
}

void Crew::wait_for(int64_t share) const {
  const std::atomic<int64_t>& finished = shares_[static_cast<size_t>(share)].finished;
  spin_until([&] { return finished.load(std::memory_order_acquire) == begun_; });
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
