#include <gtest/gtest.h>

#include <memory>

#include "attention/block_mask_problem.h"
#include "cuda/graph.h"
#include "testing/gpu.h"

namespace eyrie {
namespace {

constexpr unsigned char kPoison = 0xab;
constexpr int64_t kGuard = 64;  // i32s behind the lists

// i32s on the device.
class DeviceArray {
 public:
  explicit DeviceArray(int64_t count) : count_(count), data_(allocate(count)) { fill(); }
  explicit DeviceArray(const std::vector<int32_t>& values) : DeviceArray(static_cast<int64_t>(values.size())) {
    write(values);
  }
  int32_t* data() const { return count_ ? data_.get() : nullptr; }  // null: the dense form
  void fill() { cuda::set_bytes(data_.get(), kPoison, (count_ + kGuard) * 4); }
  void write(const std::vector<int32_t>& values) { cuda::copy_bytes(data_.get(), values.data(), count_ * 4); }
  std::vector<int32_t> read() const {  // the guard too
    std::vector<int32_t> values(static_cast<size_t>(count_ + kGuard));
    cuda::copy_bytes(values.data(), data_.get(), (count_ + kGuard) * 4);
    return values;
  }

 private:
  static int32_t* allocate(int64_t count) {
    return static_cast<int32_t*>(cuda::allocate((count + kGuard) * 4, "test array"));
  }
  struct Free {
    void operator()(int32_t* data) const { cuda::free_memory(data); }
  };
  int64_t count_;
  std::unique_ptr<int32_t, Free> data_;
};

// A problem whose arrays and lists lie on the device.
struct OnDevice {
  explicit OnDevice(const BlockMaskProblem& problem)
      : token(problem.token),
        start(problem.start),
        suffix_row(problem.suffix_row),
        rows(problem.rows),
        sizes(block_mask_capacity(problem.rows, problem.tile)),
        memory(sizes.elements()) {
    rows.token = token.data(), rows.start = start.data(), rows.suffix_row = suffix_row.data();
    mask = place_block_mask(sizes, problem.tile, memory.data());
  }

  DeviceArray token, start, suffix_row;
  BlockMaskRows rows;
  BlockMaskSizes sizes;
  DeviceArray memory;
  BlockMask mask;
};

void expect_list(const TileList& found, const TileList& expected, int32_t lines, const char* name) {
  ASSERT_EQ(std::vector(found.offsets, found.offsets + lines + 1),
            std::vector(expected.offsets, expected.offsets + lines + 1))
      << name;
  ASSERT_EQ(std::vector(found.indices, found.indices + found.offsets[lines]),
            std::vector(expected.indices, expected.indices + expected.offsets[lines]))
      << name;
}

// What the device has written equals what the CPU builds, and nothing behind it was touched.
void expect_as_on_the_cpu(const OnDevice& device, const BlockMaskProblem& problem) {
  std::vector<int32_t> memory = device.memory.read();
  const BlockMask found = place_block_mask(device.sizes, problem.tile, memory.data());
  const OwnedBlockMask made = make_block_mask(problem.rows, problem.tile);
  expect_list(found.full_keys, made.mask.full_keys, found.row_tiles, "FULL of row tiles");
  expect_list(found.partial_keys, made.mask.partial_keys, found.row_tiles, "PARTIAL of row tiles");
  expect_list(found.full_rows, made.mask.full_rows, found.key_tiles, "FULL of key tiles");
  expect_list(found.partial_rows, made.mask.partial_rows, found.key_tiles, "PARTIAL of key tiles");
  for (int64_t i = 0; i < kGuard; ++i)
    ASSERT_EQ(memory[static_cast<size_t>(device.sizes.elements() + i)], static_cast<int32_t>(0xabababab));
}

class GpuBlockMask : public testing::GpuTest {};

TEST_F(GpuBlockMask, EqualsTheCpuOnRandomShapes) {
  const cuda::Stream stream = cuda::Stream::create();
  RandomStream draw("block mask on the device");
  for (int i = 0; i < 400; ++i) {
    const BlockMaskProblem problem = random_block_mask(draw);
    const OnDevice device(problem);
    cuda::build_block_mask(device.rows, device.mask, stream);
    stream.synchronize();
    ASSERT_NO_FATAL_FAILURE(expect_as_on_the_cpu(device, problem)) << "shape " << i;
  }
}

// Thousands of lines (more than one round of the scan), tiles that list hundreds of PARTIAL ones.
TEST_F(GpuBlockMask, EqualsTheCpuOnLongSequences) {
  const cuda::Stream stream = cuda::Stream::create();
  for (const BlockTile tile : {BlockTile{128, 128}, {256, 128}, {64, 128}, {128, 64}})
    for (const auto& documents : std::vector<std::vector<int64_t>>{{}, {40000, 9000}, {30001, 1, 127, 19023}}) {
      BlockMaskProblem problem{.start = document_starts(documents), .rows = dense_rows(49152, 5), .tile = tile};
      problem.rows.valid_rows = documents.empty() ? -1 : static_cast<int64_t>(problem.start.size());
      problem.point();
      const OnDevice device(problem);
      cuda::build_block_mask(device.rows, device.mask, stream);
      stream.synchronize();
      ASSERT_NO_FATAL_FAILURE(expect_as_on_the_cpu(device, problem));
    }
}

// Captured once, replayed with other documents: what the host knew at the capture is the counts alone.
TEST_F(GpuBlockMask, AGraphReadsTheArraysOfItsReplay) {
  const cuda::Stream stream = cuda::Stream::create();
  BlockMaskProblem problem{.start = document_starts({300, 200, 500}), .rows = dense_rows(1000, 3), .tile = {128, 64}};
  problem.point();
  OnDevice device(problem);
  const cuda::Graph graph =
      cuda::Graph::capture(stream, [&] { cuda::build_block_mask(device.rows, device.mask, stream); });
  for (const auto& documents : std::vector<std::vector<int64_t>>{{1000}, {1, 999}, {500, 250, 250}}) {
    problem.start = document_starts(documents);
    problem.point();
    device.start.write(problem.start);
    device.memory.fill();
    graph.replay(stream);
    stream.synchronize();
    ASSERT_NO_FATAL_FAILURE(expect_as_on_the_cpu(device, problem));
  }
}

}  // namespace
}  // namespace eyrie
