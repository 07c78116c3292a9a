#include "tensor/crew.h"

#include <system_error>

namespace eyrie {
namespace {

constexpr int kSpins = 1 << 11, kYields = 1 << 8;

// After a while the processor is given away: what is waited for may need it.
void pause(int round) {
  if (round >= kSpins) std::this_thread::yield();
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Crew::Crew(int64_t threads) : shares_(static_cast<size_t>(threads)) {
  try {
    for (int64_t share = 1; share < threads; ++share) others_.emplace_back([this, share] { serve(share); });
  } catch (const std::system_error&) {
    // The caller does the shares of those that are missing.
  }
}

Crew::~Crew() {
  begin(nullptr, nullptr);
  for (std::thread& other : others_) other.join();
}

void Crew::begin(Call call, const void* work) {
  loops_.call = call, loops_.work = work;
  // In one order with the count of those who sleep: either the thread sees this loop or it is seen here.
  loops_.begun.store(++begun_, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) loops_.begun.notify_all();
}

int64_t Crew::next_loop(int64_t seen) {
  for (int round = 0; round < kSpins + kYields; ++round) {
    if (const int64_t loop = loops_.begun.load(std::memory_order_acquire); loop != seen) return loop;
    pause(round);
  }
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  loops_.begun.wait(seen, std::memory_order_seq_cst);
  sleeping_.fetch_sub(1, std::memory_order_seq_cst);
  return loops_.begun.load(std::memory_order_acquire);
}

void Crew::serve(int64_t share) {
  for (int64_t loop = 0;;) {
    loop = next_loop(loop);
    if (!claim(share, loop)) continue;  // it came late: others have done its share
    if (!loops_.call) return;
    loops_.call(loops_.work, share);
    shares_[static_cast<size_t>(share)].finished.store(loop, std::memory_order_release);
  }
}

void Crew::wait_for(int64_t share) const {
  const std::atomic<int64_t>& finished = shares_[static_cast<size_t>(share)].finished;
  for (int round = 0; finished.load(std::memory_order_acquire) != begun_;) pause(round < kSpins ? round++ : round);
}

}  // namespace eyrie
