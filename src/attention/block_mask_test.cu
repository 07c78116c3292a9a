#include <gtest/gtest.h>

#include "attention/block_mask_problem_cases.h"
#include "cuda/graph.h"
#include "testing/gpu.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

// A problem whose arrays and lists lie on the device; the lists' memory is poisoned and guarded.
struct OnDevice {
  explicit OnDevice(const BlockMaskProblem& problem)
      : memory("block mask", Device::cuda),
        rows(problem.rows),
        sizes(block_mask_capacity(problem.rows, problem.tile)),
        lists(memory.output("lists", {sizes.elements()}, DType::i32)),
        mask(place_block_mask(sizes, problem.tile, lists.as<int32_t>(Device::cuda))) {
    const auto upload = [&](const char* name, const std::vector<int32_t>& values) {
      return values.empty() ? nullptr : memory.integers(name, values).as<int32_t>(Device::cuda);
    };
    rows.token = upload("token", problem.token);
    rows.start = upload("start", problem.start);
    rows.suffix_row = upload("suffix_row", problem.suffix_row);
  }

  testing::CaseMemory memory;
  BlockMaskRows rows;
  BlockMaskSizes sizes;
  Tensor lists;
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

// What the device has written equals what the CPU builds, and nothing around it was touched.
void expect_as_on_the_cpu(const OnDevice& device, const BlockMaskProblem& problem) {
  const Buffer lists = testing::on_cpu(device.lists);
  const BlockMask found = place_block_mask(device.sizes, problem.tile, lists.tensor().as<int32_t>());
  const OwnedBlockMask made = make_block_mask(problem.rows, problem.tile);
  expect_list(found.full_keys, made.mask.full_keys, found.row_tiles, "FULL of row tiles");
  expect_list(found.partial_keys, made.mask.partial_keys, found.row_tiles, "PARTIAL of row tiles");
  expect_list(found.full_rows, made.mask.full_rows, found.key_tiles, "FULL of key tiles");
  expect_list(found.partial_rows, made.mask.partial_rows, found.key_tiles, "PARTIAL of key tiles");
  EXPECT_TRUE(device.memory.broken_guards().empty());
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
  const OnDevice device(problem);
  const cuda::Graph graph =
      cuda::Graph::capture(stream, [&] { cuda::build_block_mask(device.rows, device.mask, stream); });
  for (const auto& documents : std::vector<std::vector<int64_t>>{{1000}, {1, 999}, {500, 250, 250}}) {
    problem.start = document_starts(documents);
    problem.point();
    cuda::copy_bytes(const_cast<int32_t*>(device.rows.start), problem.start.data(), 4 * problem.rows.rows, stream);
    graph.replay(stream);
    stream.synchronize();
    ASSERT_NO_FATAL_FAILURE(expect_as_on_the_cpu(device, problem));
  }
}

}  // namespace
}  // namespace eyrie
