#include "attention/cpu/lane_tile.h"

#include <algorithm>

namespace eyrie::tiles {

TileSizes::TileSizes(const SuffixAttention& problem, int64_t least_rows)
    : AttentionSizes(problem),
      tile_rows(std::max(kTileLanes / group, least_rows)),
      lanes((tile_rows * group + kWidth - 1) / kWidth * kWidth) {}

void TileView::gather(const ConstTensor& from, float factor, const Matrix& to) const {
  const auto rows = from.view<float, 3>();
  for (int64_t lane = 0; lane < lanes(); ++lane) {
    const float* row = rows.row(row_of(lane), head_of(lane));
    for (int64_t i = 0; i < to.columns; ++i) to.row(lane)[i] = factor * row[i];
  }
  std::fill(to.row(lanes()), to.row(to.rows), 0.0f);
}

void transpose(const ConstMatrix& from, const Matrix& to) {
  for (int64_t row = 0; row < from.rows; ++row)
    for (int64_t column = 0; column < from.columns; ++column) to.row(column)[row] = from.row(row)[column];
}

void fill_zero(const Matrix& matrix) { std::fill(matrix.data, matrix.row(matrix.rows), 0.0f); }

}  // namespace eyrie::tiles
