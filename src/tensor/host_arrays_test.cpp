// Arrays from the host: where they lie, how long, and what a GPU reads of them.
#include "tensor/host_arrays.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tensor/exec.h"
#include "testing/gpu.h"

namespace eyrie {
namespace {

TEST(HostArrays, AreReadWhereTheyWereWrittenAndDoNotMove) {
  Exec exec;
  HostArrays arrays;
  const std::span<int32_t> first = arrays.take<int32_t>(5);
  std::iota(first.begin(), first.end(), 7);
  const std::span<int64_t> large = arrays.take<int64_t>(100'000);  // outgrows the first block
  std::iota(large.begin(), large.end(), 0);
  const std::span<int32_t> none = arrays.take<int32_t>(0);
  arrays.send(exec);
  EXPECT_EQ(arrays.there(first).as<int32_t>(), first.data());
  EXPECT_EQ(arrays.there(first).shape, Shape({5}));
  EXPECT_EQ(first[4], 11);
  EXPECT_EQ(arrays.there(large).as<int64_t>()[99'999], 99'999);
  EXPECT_EQ(arrays.there(none).elements(), 0);
}

TEST(HostArrays, TheSecondRunOfASizeAllocatesNothing) {
  HostArrays arrays;
  int64_t after_first = 0;
  for (int run = 0; run < 4; ++run) {
    arrays.clear();
    for (const int64_t count : {3, 5000, 90'000}) arrays.take<int32_t>(count);
    if (run == 1) after_first = arrays.allocations();
  }
  EXPECT_EQ(arrays.allocations(), after_first);
}

TEST(HostArrays, AnArrayOfSomebodyElseIsAnError) {
  HostArrays arrays, others;
  const std::span<int32_t> taken = others.take<int32_t>(4);
  arrays.take<int32_t>(4);
  EXPECT_THROW(arrays.there(taken), Error);
  arrays.clear();
}

class HostArraysThere : public testing::GpuTest {};

TEST_F(HostArraysThere, AGpuReadsWhatWasWrittenAndClearWaitsForIt) {
  Exec exec(Device::cuda);
  HostArrays arrays(exec);
  for (int run = 0; run < 3; ++run) {
    arrays.clear();
    const std::span<int32_t> ids = arrays.take<int32_t>(70'001), more = arrays.take<int32_t>(3);
    std::iota(ids.begin(), ids.end(), run);
    std::iota(more.begin(), more.end(), -run);
    arrays.send(exec);
    const Buffer back = to_cpu(exec, arrays.there(ids)), rest = to_cpu(exec, arrays.there(more));
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), back.tensor().as<int32_t>()));
    EXPECT_EQ(rest.tensor().as<int32_t>()[2], 2 - run);
  }
}

}  // namespace
}  // namespace eyrie
