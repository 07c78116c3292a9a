#include "tensor/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tensor/exec.h"
#include "testing/threads.h"

namespace eyrie {
namespace {

TEST(Crew, EveryShareOfEveryLoopRunsOnce) {
  for (const int64_t threads : {1, 2, 3, 5}) {
    Crew crew(threads);
    ASSERT_EQ(crew.threads(), threads);
    std::vector<int64_t> runs(static_cast<size_t>(threads), 0);
    for (int64_t loop = 0; loop < 300; ++loop)
      crew.run([&](int64_t share) { runs[static_cast<size_t>(share)] += loop; });
    for (const int64_t sum : runs) EXPECT_EQ(sum, 300 * 299 / 2);
  }
}

// Far more threads than processors: most of them come to most loops late, when others have done their share.
TEST(Crew, ThreadsThatComeLateTakeNoShareTwice) {
  constexpr int64_t kThreads = 16, kLoops = 5'000;
  Crew crew(kThreads);
  for (int64_t loop = 0; loop < kLoops; ++loop) {
    std::atomic<int64_t> mask{0};
    crew.run([&](int64_t share) { mask.fetch_xor(int64_t{1} << share); });
    ASSERT_EQ(mask, (1 << kThreads) - 1) << loop;
  }
}

TEST(Crew, ALoopSeesWhatTheOneBeforeWrote) {
  Crew crew(3);
  std::vector<int64_t> now(3, 0), next(3, 0);
  for (int loop = 0; loop < 300; ++loop) {  // each takes its neighbour's value and adds one
    crew.run([&](int64_t share) { next[static_cast<size_t>(share)] = now[static_cast<size_t>((share + 1) % 3)] + 1; });
    now.swap(next);
  }
  EXPECT_EQ(now, std::vector<int64_t>(3, 300));
}

// Threads that have nothing to do sleep; a loop wakes them: its caller waits here for an answer from each.
TEST(Crew, ThreadsSleepAndWake) {
  constexpr int64_t kThreads = 3;
  Crew crew(kThreads);
  for (int64_t round = 0; round < 20; ++round) {
    while (crew.awake()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (round % 2) std::this_thread::sleep_for(std::chrono::milliseconds(3));  // all of them
    std::atomic<int64_t> answers{0};
    crew.run([&](int64_t share) {
      if (share > 0) return void(++answers);
      while (answers < kThreads - 1) std::this_thread::yield();
    });
  }
}

TEST(Crew, AnExecHasOneOfAsManyThreadsAsAreSet) {
  Exec exec;
  for (const int64_t count : {2, 3, 1}) {
    const testing::Threads threads(count);
    EXPECT_EQ(exec.crew().threads(), count);
    EXPECT_EQ(&exec.crew(), &exec.crew());
  }
}

}  // namespace
}  // namespace eyrie
