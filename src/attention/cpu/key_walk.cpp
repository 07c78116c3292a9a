#include "attention/cpu/key_walk.h"

#include <algorithm>

namespace eyrie::tiles {
namespace {

// Rows of one sequence, whose keys are numbered from its start.
struct CausalView {
  const TileView& view;
  const int32_t* token = view.problem.token.as<int32_t>();
  int64_t start = view.problem.start.as<int32_t>()[view.tile.first_row];

  int64_t keys_of(int64_t row) const { return token[row] - start + 1; }
  int64_t least_keys() const { return keys_of(view.tile.first_row); }
  int64_t most_keys() const { return keys_of(view.tile.first_row + view.tile.rows - 1); }

  SeenKeys seen(int64_t first_key, int64_t keys, FloatRoom room) const {
    if (least_keys() >= first_key + keys) return {};
    const int64_t lanes = view.sizes.lanes;
    int32_t *first = room.take_integers(lanes), *last = room.take_integers(lanes);
    std::fill_n(first, lanes, 0);
    for (int64_t lane = 0; lane < lanes; ++lane)
      last[lane] = lane < view.lanes() ? static_cast<int32_t>(keys_of(view.row_of(lane)) - 1 - first_key) : -1;
    return {first, last};
  }
};

}  // namespace

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

bool CausalWalk::begins_anew(int64_t row) const {
  const int32_t* start = problem().start.as<int32_t>();
  return start[row] != start[row - 1];
}

void CausalWalk::visit(const TileView& view, float* memory, const KeyGradients* gradients, const Visit& visit) const {
  const CausalView causal = {view};
  const ConstMatrix k = prefix_of(view.problem.prefix_k, view.kv_head),
                    v = prefix_of(view.problem.prefix_v, view.kv_head);
  const int64_t all = causal.most_keys();
  for (int64_t key = 0; key < all; key += kTileKeys) {
    const int64_t keys = std::min(all - key, kTileKeys), token = causal.start + key;
    KeyTile tile = {k.rows_at(token, keys), v.rows_at(token, keys), {}, {}, causal.seen(key, keys, FloatRoom(memory))};
    if (gradients) {
      tile.d_k = gradients->d_prefix_k.rows_at(token, keys);
      tile.d_v = gradients->d_prefix_v.rows_at(token, keys);
    }
    visit(tile);
  }
}

}  // namespace eyrie::tiles
