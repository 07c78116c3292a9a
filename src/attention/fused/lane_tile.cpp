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

void TileView::gather(const ConstTensor& from, float factor, const Matrix& to) const {
  const auto rows = from.view<float, 3>();
  for (int64_t lane = 0; lane < lanes(); ++lane) {
    const float* row = rows.row(row_of(lane), head_of(lane));
    for (int64_t i = 0; i < to.columns; ++i) to.row(lane)[i] = factor * row[i];
  }
  std::fill(to.row(lanes()), to.row(to.rows), 0.0f);
}

const int32_t* TileView::last_keys(int64_t first_key, int64_t keys_in_tile, int32_t* memory) const {
  if (keys_of(tile.first_row) >= first_key + keys_in_tile) return nullptr;
  for (int64_t lane = 0; lane < sizes.lanes; ++lane)
    memory[lane] = lane < lanes() ? static_cast<int32_t>(keys_of(row_of(lane)) - 1 - first_key) : -1;
  return memory;
}

void transpose(const ConstMatrix& from, const Matrix& to) {
  for (int64_t row = 0; row < from.rows; ++row)
    for (int64_t column = 0; column < from.columns; ++column) to.row(column)[row] = from.row(row)[column];
}

}  // namespace eyrie::fused
