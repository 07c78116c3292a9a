#include "base/threads.h"

#include <gtest/gtest.h>

#include <cstdlib>

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
  const int64_t before = thread_count();
  set_thread_count(3);
  EXPECT_EQ(thread_count(), 3);
  EXPECT_THROW(set_thread_count(kMostThreads + 1), Error);
  EXPECT_EQ(thread_count(), 3);
  setenv("OMP_NUM_THREADS", "5,2", 1);
  set_thread_count(0);
  EXPECT_EQ(thread_count(), 5);
  setenv("OMP_NUM_THREADS", "100000", 1);
  EXPECT_THROW(set_thread_count(0), Error);
  unsetenv("OMP_NUM_THREADS");
  set_thread_count(0);
  EXPECT_GE(thread_count(), 1);
  set_thread_count(before);
}

}  // namespace
}  // namespace eyrie
