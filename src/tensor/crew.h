// tensor/crew.h: threads that stay awake between short loops. Opening an OpenMP region takes longer than a small linear
// layer does, so a decode step opens one around all of its loops: one thread runs the step, the others wait for its
// loops, spinning. (An OpenMP region inside runs on one thread; so does OpenBLAS: large products belong outside.)
#pragma once
#include <atomic>
#include <cstdint>
#include <vector>

namespace eyrie {

class Crew {
 public:
  explicit Crew(int64_t threads) : threads_(threads), finished_(static_cast<size_t>(threads)) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  int64_t threads() const { return threads_; }

  // work(thread) once on every thread, 0 on the calling one; returns when all are done. It must not throw.
  template <typename Work>
  void run(const Work& work) {
    begin([](const void* of, int64_t thread) { (*static_cast<const Work*>(of))(thread); }, &work);
    work(int64_t{0});
    wait();
  }

  void serve(int64_t thread);  // until dismissed
  void dismiss() { begin(nullptr, nullptr); }

 private:
  using Call = void (*)(const void* work, int64_t thread);
  // A hand-over costs one cache line each way, and the calling thread does not wait for the first: what it writes
  // stands in one line, what each other thread writes in a line of its own, and nothing is read, modified and written.
  struct alignas(64) Loops {
    std::atomic<int64_t> begun{0};
    Call call = nullptr;
    const void* work = nullptr;
  };
  struct alignas(64) Finished {
    std::atomic<int64_t> loops{0};
  };

  void begin(Call call, const void* work) {
    loops_.call = call, loops_.work = work;
    loops_.begun.store(++begun_, std::memory_order_release);
  }
  void wait() const {
    for (int64_t thread = 1; thread < threads_; ++thread)
      wait_for(finished_[static_cast<size_t>(thread)].loops, begun_);
  }
  static void wait_for(const std::atomic<int64_t>& count, int64_t value);

  const int64_t threads_;
  int64_t begun_ = 0;
  Loops loops_;
  std::vector<Finished> finished_;
};

}  // namespace eyrie
