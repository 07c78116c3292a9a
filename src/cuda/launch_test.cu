#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/error.h"
#include "cuda/check.cuh"
#include "cuda/graph.h"
#include "cuda/launch.cuh"
#include "cuda/profile.h"
#include "testing/gpu.h"

namespace eyrie::cuda {
namespace {

struct AddParams {
  float* values;
  int64_t count;
  float term;
};

__global__ void add_term(const __grid_constant__ AddParams params) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < params.count) params.values[i] += params.term;
}

struct ReverseParams {
  float* values;
  int count;
};

__global__ void reverse_through_shared(const __grid_constant__ ReverseParams params) {
  extern __shared__ float kept[];
  for (int i = threadIdx.x; i < params.count; i += blockDim.x) kept[i] = params.values[i];
  __syncthreads();
  for (int i = threadIdx.x; i < params.count; i += blockDim.x) params.values[i] = kept[params.count - 1 - i];
}

// Values 0, 1, 2, ... on the device.
struct Values {
  explicit Values(int64_t count) : host(static_cast<size_t>(count)) {
    std::iota(host.begin(), host.end(), 0.0f);
    device = static_cast<float*>(allocate(count * 4, "values"));
    move(device, host.data());
  }
  ~Values() { free_memory(device); }
  const std::vector<float>& read() {
    move(host.data(), device);
    return host;
  }
  void move(void* to, const void* from) {  // behind what the streams do, before what they will
    wait_for_device();
    check(cudaMemcpy(to, from, host.size() * 4, cudaMemcpyDefault), "values");
    wait_for_device();
  }
  std::vector<float> host;
  float* device = nullptr;
};

class GpuLaunch : public eyrie::testing::GpuTest {};

void add_one(Values& values, const Stream& stream) {
  const AddParams params{values.device, static_cast<int64_t>(values.host.size()), 1.0f};
  launch("add_term", add_term, {.grid = dim3(4), .block = dim3(256)}, {.bytes = 8.0 * 1000, .flops = 1000}, stream,
         params);
}

TEST_F(GpuLaunch, RunsAKernelWithMoreSharedMemoryThanAKernelGetsUnasked) {
  const int count = 20000;  // 80,000 bytes
  Values values(count);
  const Stream stream = Stream::create();
  launch("reverse", reverse_through_shared, {.grid = dim3(1), .block = dim3(256), .shared_bytes = 4 * count}, {},
         stream, {values.device, count});
  EXPECT_EQ(values.read()[0], count - 1);
  EXPECT_EQ(values.read()[count - 1], 0);
}

TEST_F(GpuLaunch, AnErrorNamesTheKernelAndTheNextLaunchRuns) {
  Values values(1000);
  const Stream stream = Stream::create();
  try {
    launch("too_wide", add_term, {.grid = dim3(1), .block = dim3(4096)}, {}, stream, {values.device, 1000, 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_NE(std::string(error.what()).find("kernel too_wide (grid 1x1x1, block 4096x1x1"), std::string::npos)
        << error.what();
  }
  const int64_t too_much = device_properties().shared_bytes_per_block + 1024;
  EXPECT_THROW(launch("too_large", add_term, {.grid = dim3(1), .block = dim3(32), .shared_bytes = too_much}, {}, stream,
                      {values.device, 1000, 1}),
               Error);
  add_one(values, stream);
  EXPECT_EQ(values.read()[7], 8);
}

TEST_F(GpuLaunch, AGridWithoutCtasLaunchesNothing) {
  Values values(10);
  const Stream stream = Stream::create();
  launch("add_term", add_term, {.grid = dim3(0), .block = dim3(256)}, {}, stream, {values.device, 10, 1});
  EXPECT_EQ(values.read()[3], 3);
}

TEST_F(GpuLaunch, AGraphReplaysWhatWasCaptured) {
  Values values(1000);
  const Stream stream = Stream::create();
  const Graph graph = Graph::capture(stream, [&] {
    add_one(values, stream);
    add_one(values, stream);
  });
  EXPECT_EQ(values.read()[5], 5) << "capturing ran it";
  for (int i = 0; i < 3; ++i) graph.replay(stream);
  EXPECT_EQ(values.read()[5], 11);
}

TEST_F(GpuLaunch, ABodyThatMayNotBeCapturedIsAnErrorAndTheStreamLives) {
  Values values(1000);
  const Stream stream = Stream::create();
  EXPECT_THROW(Graph::capture(stream, [&] { stream.synchronize(); }), Error);
  add_one(values, stream);
  EXPECT_EQ(values.read()[5], 6);
}

TEST_F(GpuLaunch, AStreamWaitsForNoOther) {
  const Stream stream = Stream::create();
  unsigned flags = 0;
  check(cudaStreamGetFlags(stream.handle(), &flags), "flags");
  EXPECT_EQ(flags, static_cast<unsigned>(cudaStreamNonBlocking));
}

TEST_F(GpuLaunch, AProfileSumsLaunchesBytesAndTime) {
  Values values(1000);
  Stream stream = Stream::create();
  Profile profile;
  stream.profile = &profile;
  for (int i = 0; i < 3; ++i) add_one(values, stream);
  const std::vector<Profile::Row> rows = profile.rows();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].kernel, "add_term");
  EXPECT_EQ(rows[0].launches, 3);
  EXPECT_EQ(rows[0].bytes, 24000);
  EXPECT_EQ(rows[0].flops, 3000);
  EXPECT_GT(rows[0].milliseconds, 0);
}

TEST_F(GpuLaunch, TooLittleMemorySaysAskedAndFreeAndForWhat) {
  const int64_t wanted = int64_t{1} << 46;
  try {
    free_memory(allocate(wanted, "d_q of depth 3"));
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("d_q of depth 3: too little device memory: asked for " + std::to_string(wanted)),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("free are"), std::string::npos) << text;
  }
  Values values(10);  // and the device still works
  EXPECT_EQ(values.read()[9], 9);
}

}  // namespace
}  // namespace eyrie::cuda
