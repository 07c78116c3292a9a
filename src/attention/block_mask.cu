// attention/block_mask.cu: block_mask.h's lists on the device. A warp per line of either list, twice: one kernel
// counts, one sums the counts to offsets, one writes.
//
// A line costs a few bisections (dependent loads, ~16 at most each) and a step per 32 tiles of what it lists; nothing
// is shared. At 49,152 rows and 5 rounds: 2,304 lines, 2 x 75,456 tiles (0.6 MB) written once, so three launches of a
// few microseconds each.
#include "attention/block_mask_lines.h"
#include "cuda/launch.cuh"

namespace eyrie::cuda {
namespace {

using block_mask::Geometry;
using block_mask::KeyLine;
using block_mask::RowLine;

constexpr int kWarp = 32, kLinesPerCta = 4, kScanThreads = 1024, kLists = 4;
constexpr unsigned kAllLanes = 0xffffffffu;

struct Params {
  Geometry geometry;
  BlockMask mask;
};

__device__ int lane_of_thread() { return static_cast<int>(threadIdx.x) % kWarp; }

// Returns how many PARTIAL tiles the line lists, and writes them unless `to` is null. From each tile that is touched
// the lanes look at the next 32 at once: a row tile that meets several long sequences lists hundreds.
template <typename Line>
__device__ int32_t list_partials(const Line& line, int32_t* to) {
  int32_t listed = 0;
  int32_t first = line.next(0);
  while (first < line.end()) {
    if (line.full.holds(first)) {
      first = line.next(line.full.end);
      continue;
    }
    const int32_t tile = first + lane_of_thread();
    const bool partial = tile < line.end() && !line.full.holds(tile) && line.next(tile) == tile;
    const unsigned found = __ballot_sync(kAllLanes, partial);
    if (to && partial) to[listed + __popc(found & ((1u << lane_of_thread()) - 1))] = tile;
    listed += __popc(found);
    first = line.next(block_mask::smaller(first + kWarp, line.end()));
  }
  return listed;
}

template <typename Line>
__device__ void count_line(const Geometry& geometry, int32_t i, const TileList& full, const TileList& partial) {
  const Line line(geometry, i);
  const int32_t partials = list_partials(line, nullptr);
  if (lane_of_thread() == 0) full.offsets[i] = line.full.size(), partial.offsets[i] = partials;
}

template <typename Line>
__device__ void write_line(const Geometry& geometry, int32_t i, const TileList& full, const TileList& partial) {
  const Line line(geometry, i);
  int32_t* to = full.indices + full.offsets[i];
  for (int32_t j = lane_of_thread(); j < line.full.size(); j += kWarp) to[j] = line.full.begin + j;
  list_partials(line, partial.indices + partial.offsets[i]);
}

__device__ int32_t line_of_warp() { return static_cast<int32_t>(blockIdx.x * kLinesPerCta + threadIdx.x / kWarp); }

__global__ void count_lines(const __grid_constant__ Params params) {
  const auto& [geometry, mask] = params;
  const int32_t i = line_of_warp();
  if (i < mask.row_tiles)
    count_line<RowLine>(geometry, i, mask.full_keys, mask.partial_keys);
  else if (i - mask.row_tiles < mask.key_tiles)
    count_line<KeyLine>(geometry, i - mask.row_tiles, mask.full_rows, mask.partial_rows);
}

__global__ void write_lines(const __grid_constant__ Params params) {
  const auto& [geometry, mask] = params;
  const int32_t i = line_of_warp();
  if (i < mask.row_tiles)
    write_line<RowLine>(geometry, i, mask.full_keys, mask.partial_keys);
  else if (i - mask.row_tiles < mask.key_tiles)
    write_line<KeyLine>(geometry, i - mask.row_tiles, mask.full_rows, mask.partial_rows);
}

__device__ int32_t sum_up_to_lane(int32_t value) {
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const int32_t below = __shfl_up_sync(kAllLanes, value, distance);
    if (lane_of_thread() >= distance) value += below;
  }
  return value;
}

// A CTA for each of the four lists: offsets[i] = the sum of the counts before i, in place; offsets[lines] = all of
// them.
__global__ void sum_counts(const __grid_constant__ Params params) {
  const BlockMask& mask = params.mask;
  const bool of_rows = blockIdx.x < kLists / 2, of_full = blockIdx.x % 2 == 0;
  const int32_t lines = of_rows ? mask.row_tiles : mask.key_tiles;
  int32_t* offsets = of_rows ? (of_full ? mask.full_keys : mask.partial_keys).offsets
                             : (of_full ? mask.full_rows : mask.partial_rows).offsets;
  __shared__ int32_t warp_sums[kScanThreads / kWarp];
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  int32_t before = 0;
  for (int32_t first = 0; first < lines; first += kScanThreads) {
    const int32_t i = first + static_cast<int32_t>(threadIdx.x);
    const int32_t count = i < lines ? offsets[i] : 0;
    const int32_t up_to = sum_up_to_lane(count);
    if (lane_of_thread() == kWarp - 1) warp_sums[warp] = up_to;
    __syncthreads();
    if (warp == 0) warp_sums[lane_of_thread()] = sum_up_to_lane(warp_sums[lane_of_thread()]);
    __syncthreads();
    if (i < lines) offsets[i] = before + (warp ? warp_sums[warp - 1] : 0) + up_to - count;
    before += warp_sums[kScanThreads / kWarp - 1];
    __syncthreads();  // the sums are read before the next round writes them
  }
  if (threadIdx.x == 0) offsets[lines] = before;
}

}  // namespace

void build_block_mask(const BlockMaskRows& rows, const BlockMask& mask, const Stream& stream) {
  const Params params{block_mask::make_geometry(rows, mask.tile), mask};
  block_mask::expect_place(params.geometry, mask);
  const auto lines = static_cast<unsigned>(mask.row_tiles) + static_cast<unsigned>(mask.key_tiles);
  const LaunchShape line_per_warp = {.grid = dim3((lines + kLinesPerCta - 1) / kLinesPerCta),
                                     .block = dim3(kLinesPerCta * kWarp)};
  // Two offsets a line. How many tiles are written behind them stands on the device: not stated.
  const LaunchCost offsets = {.bytes = 8.0 * lines}, offsets_changed = {.bytes = 16.0 * lines};
  launch("block mask count", count_lines, line_per_warp, offsets, stream, params);
  launch("block mask sum", sum_counts, {.grid = dim3(kLists), .block = dim3(kScanThreads)}, offsets_changed, stream,
         params);
  launch("block mask write", write_lines, line_per_warp, offsets, stream, params);
}

}  // namespace eyrie::cuda
