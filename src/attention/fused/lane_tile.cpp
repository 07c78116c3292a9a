#include "attention/fused/lane_tile.h"

#include <algorithm>

namespace eyrie::fused {

TileSizes::TileSizes(const SuffixAttention& problem)
    : AttentionSizes(problem),
      tile_rows(std::max<int64_t>(kTileLanes / group, 1)),
      lanes((tile_rows * group + kWidth - 1) / kWidth * kWidth) {}

TileList list_tiles(Exec& exec, const SuffixAttention& problem, const TileSizes& sizes) {
  const int32_t* start = problem.start.as<int32_t>();
  auto* tiles = static_cast<LaneTile*>(exec.scratch.take(DType::u8, {list_bytes(sizes)}).data);
  TileList list = {.tiles = tiles, .count = 0, .most_in_sequence = 0};
  for (int64_t row = 0, index = 0; row < sizes.rows; ++index) {
    if (row > 0 && start[row] != start[row - 1]) index = 0;
    int64_t end = row + 1;
    while (end < sizes.rows && end - row < sizes.tile_rows && start[end] == start[row]) ++end;
    tiles[list.count++] = {static_cast<int32_t>(row), static_cast<int32_t>(end - row), static_cast<int32_t>(index)};
    list.most_in_sequence = std::max(list.most_in_sequence, index + 1);
    row = end;
  }
  return list;
}

void TileView::gather(const ConstTensor& from, float factor, float* to) const {
  const auto rows = from.view<float, 3>();
  const int64_t width = rows.dims[2];
  for (int64_t lane = 0; lane < lanes(); ++lane, to += width) {
    const float* row = rows.row(row_of(lane), head_of(lane));
    for (int64_t i = 0; i < width; ++i) to[i] = factor * row[i];
  }
  std::fill_n(to, (sizes.lanes - lanes()) * width, 0.0f);
}

void TileView::transpose(const float* from, int64_t width, float* to) const {
  for (int64_t lane = 0; lane < sizes.lanes; ++lane)
    for (int64_t i = 0; i < width; ++i) to[i * sizes.lanes + lane] = from[lane * width + i];
}

void TileView::transpose_back(const float* from, int64_t width, float* to) const {
  for (int64_t lane = 0; lane < sizes.lanes; ++lane)
    for (int64_t i = 0; i < width; ++i) to[lane * width + i] = from[i * sizes.lanes + lane];
}

const int32_t* TileView::last_keys(int64_t first_key, int64_t keys_in_tile, int32_t* memory) const {
  if (keys_of(tile.first_row) >= first_key + keys_in_tile) return nullptr;
  for (int64_t lane = 0; lane < sizes.lanes; ++lane)
    memory[lane] = lane < lanes() ? static_cast<int32_t>(keys_of(row_of(lane)) - 1 - first_key) : -1;
  return memory;
}

}  // namespace eyrie::fused
