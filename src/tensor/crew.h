// tensor/crew.h: the threads of loops. They stay awake for a while after a loop, since starting a thread or waking one
// takes longer than a small linear layer does; then they sleep until the next.
//
// A loop has one share for each thread. A share that its thread has not begun when the caller is done with its own is
// the caller's: on a busy machine, where a thread may not run for milliseconds, nobody waits for it. What a share
// computes does not depend on who does it.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace eyrie {

class Crew {
 public:
  explicit Crew(int64_t threads);  // with the calling thread; where one cannot be started there are fewer
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  int64_t threads() const { return std::ssize(shares_); }
  bool awake() const { return sleeping_.load(std::memory_order_relaxed) == 0; }

  // work(share) once for each of 0 .. threads - 1, the first on the calling thread; returns when all are done. It must
  // not throw, nor run a loop of its own. One caller at a time.
  template <typename Work>
  void run(const Work& work) {
    begin([](const void* of, int64_t share) { (*static_cast<const Work*>(of))(share); }, &work);
    work(int64_t{0});
    for (int64_t share = 1; share < threads(); ++share) {
      if (claim(share, begun_))
        work(share);
      else
        wait_for(share);
    }
  }

 private:
  using Call = void (*)(const void* work, int64_t share);
  // A hand-over costs one cache line each way, and the calling thread does not wait for the first: what it writes
  // stands in one line, what each other thread writes in a line of its own, which the caller only reads as long as its
  // thread is there.
  struct alignas(64) Loops {
    std::atomic<int64_t> begun{0};
    Call call = nullptr;
    const void* work = nullptr;
  };
  struct alignas(64) Share {
    std::atomic<int64_t> claimed{0}, finished{0};  // the last loop of which it was; claimed by others, finished stays
  };

  void serve(int64_t share);  // until there is no call
  int64_t next_loop(int64_t seen);
  void begin(Call call, const void* work);
  // Whether the share of this loop is now the calling thread's to do: at most one thread hears yes. Behind a yes the
  // loop cannot end, so its call may be read.
  bool claim(int64_t share, int64_t loop) {
    std::atomic<int64_t>& claimed = shares_[static_cast<size_t>(share)].claimed;
    int64_t before = loop - 1;
    return claimed.load(std::memory_order_acquire) == before &&
           claimed.compare_exchange_strong(before, loop, std::memory_order_acq_rel);
  }
  void wait_for(int64_t share) const;  // begun by its thread

  int64_t begun_ = 0;
  Loops loops_;
  std::vector<Share> shares_;
  std::atomic<int64_t> sleeping_{0};
  std::vector<std::thread> others_;
};

}  // namespace eyrie
