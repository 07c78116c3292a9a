#include "tensor/crew.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tensor/exec.h"

namespace eyrie {
namespace {

// Runs the test's body with `threads` OpenMP threads.
class Threads {
 public:
  explicit Threads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~Threads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

TEST(Crew, EveryThreadRunsEveryLoopOnce) {
  for (const int threads : {2, 3, 5}) {
    const Threads set(threads);
    Exec exec;
    std::vector<int64_t> runs(static_cast<size_t>(threads), 0);
    with_crew(exec, [&] {
      ASSERT_NE(exec.crew, nullptr);
      ASSERT_EQ(exec.crew->threads(), threads);
      for (int64_t loop = 0; loop < 300; ++loop)
        exec.crew->run([&](int64_t thread) { runs[static_cast<size_t>(thread)] += loop; });
    });
    for (const int64_t sum : runs) EXPECT_EQ(sum, 300 * 299 / 2);
  }
}

// Nobody serves: the caller does every share. One who comes later gets none of the loops that are over.
TEST(Crew, SharesThatNobodyBeginsAreTheCallers) {
  Crew crew(3);
  std::vector<int64_t> runs(3, 0);
  for (int64_t loop = 1; loop <= 10; ++loop) crew.run([&](int64_t share) { runs[static_cast<size_t>(share)] += loop; });
  EXPECT_EQ(runs, std::vector<int64_t>(3, 55));
  std::thread late([&] { crew.serve(1); });
  std::thread later([&] { crew.serve(2); });
  crew.dismiss();
  late.join(), later.join();
  EXPECT_EQ(runs, std::vector<int64_t>(3, 55));
}

// Threads that come and go while loops run, each share once.
TEST(Crew, ThreadsThatComeLateTakeNoShareTwice) {
  constexpr int64_t kThreads = 4, kLoops = 20'000;
  Crew crew(kThreads);
  std::vector<std::thread> others;
  std::atomic<int64_t> total{0};
  for (int64_t loop = 0; loop < kLoops; ++loop) {
    if (loop % (kLoops / 8) == 1 && std::ssize(others) + 1 < kThreads)
      others.emplace_back([&crew, thread = std::ssize(others) + 1] { crew.serve(thread); });
    std::atomic<int64_t> mask{0};
    crew.run([&](int64_t share) { total += 1, mask.fetch_xor(int64_t{1} << share); });
    ASSERT_EQ(mask, (1 << kThreads) - 1) << loop;
  }
  crew.dismiss();
  for (std::thread& other : others) other.join();
  EXPECT_EQ(total, kThreads * kLoops);
}

TEST(Crew, ALoopSeesWhatTheOneBeforeWrote) {
  const Threads set(3);
  Exec exec;
  std::vector<int64_t> now(3, 0), next(3, 0);
  with_crew(exec, [&] {
    for (int loop = 0; loop < 300; ++loop) {  // each takes its neighbour's value and adds one
      exec.crew->run(
          [&](int64_t thread) { next[static_cast<size_t>(thread)] = now[static_cast<size_t>((thread + 1) % 3)] + 1; });
      now.swap(next);
    }
  });
  EXPECT_EQ(now, std::vector<int64_t>(3, 300));
}

TEST(Crew, AnErrorLeavesTheCrew) {
  const Threads set(2);
  Exec exec;
  EXPECT_THROW(with_crew(exec, [] { throw std::runtime_error("body"); }), std::runtime_error);
  EXPECT_EQ(exec.crew, nullptr);
  int runs = 0;
  with_crew(exec, [&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

TEST(Crew, ThereIsOneCrewAtATimeAndNoneForOneThread) {
  const Threads set(2);
  Exec exec;
  with_crew(exec, [&] {
    Crew* const outer = exec.crew;
    with_crew(exec, [&] { EXPECT_EQ(exec.crew, outer); });
    EXPECT_EQ(exec.crew, outer);
  });
  const Threads one(1);
  with_crew(exec, [&] { EXPECT_EQ(exec.crew, nullptr); });
}

}  // namespace
}  // namespace eyrie
