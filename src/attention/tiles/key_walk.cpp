#include "attention/tiles/key_walk.h"

#include <algorithm>

namespace eyrie::tiles {

int64_t KeyWalk::lane_tiles_bytes() const { return sizes_.rows * static_cast<int64_t>(sizeof(LaneTile)); }

LaneTiles KeyWalk::lane_tiles(Exec& exec) const {
  auto* tiles = static_cast<LaneTile*>(exec.scratch.take(DType::u8, {lane_tiles_bytes()}).data);
  LaneTiles list = {.tiles = tiles, .count = 0, .largest_index = 0};
  for (int64_t row = 0, index = 0; row < sizes_.rows; ++index) {
    if (row > 0 && begins_anew(row)) index = 0;
    int64_t end = row + 1;
    while (end < sizes_.rows && end - row < sizes_.tile_rows && !begins_anew(end)) ++end;
    tiles[list.count++] = {static_cast<int32_t>(row), static_cast<int32_t>(end - row), static_cast<int32_t>(index)};
    list.largest_index = std::max(list.largest_index, index);
    row = end;
  }
  return list;
}

}  // namespace eyrie::tiles
