#include "base/threads.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "base/error.h"

namespace eyrie {
namespace {

TEST(Threads, AQuotaIsRoundedUpToProcessors) {
  EXPECT_EQ(processors_of_quota("max 100000"), 0);
  EXPECT_EQ(processors_of_quota("200000 100000"), 2);
  EXPECT_EQ(processors_of_quota("250000 100000"), 3);
  EXPECT_EQ(processors_of_quota("1000 100000"), 1);
  for (const char* broken : {"", "x", "5", "-1 100000", "100000 0"})
    EXPECT_EQ(processors_of_quota(broken), 0) << broken;
}

TEST(Threads, TheNumberAskedForIsTakenUpToABound) {
  const int before = omp_get_max_threads();
  set_thread_count(3);
  EXPECT_EQ(omp_get_max_threads(), 3);
  EXPECT_THROW(set_thread_count(kMostThreads + 1), Error);
  EXPECT_EQ(omp_get_max_threads(), 3);
  omp_set_num_threads(100'000);
  EXPECT_THROW(set_thread_count(0), Error);
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace eyrie
