#include "tensor/crew.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <stdexcept>
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
