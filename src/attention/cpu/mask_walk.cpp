#include "attention/cpu/mask_walk.h"

#include <algorithm>

namespace eyrie::tiles {
namespace {

// One tile's place among all keys: in the prefix from token `first` on, or in one suffix from its row `first` on.
struct KeyPlace {
  int64_t suffix;  // -1: the prefix
  int64_t first;
  KeyPlace(const BlockMaskRows& rows, int64_t key)
      : suffix(key < rows.tokens ? -1 : (key - rows.tokens) / rows.suffix_rows),
        first(key < rows.tokens ? key : (key - rows.tokens) % rows.suffix_rows) {}
};

// Keys and values there, and where their gradients are added (in a backward pass); row i belongs to key i of the tile.
KeyTile as_it_lies(const TileView& view, const KeyPlace& place, const KeyGradients* gradients, int64_t keys) {
  const SuffixAttention& problem = view.problem;
  const auto of = [&](const ConstTensor& prefix, const ConstTensor& suffix) {
    return prefix_of(place.suffix < 0 ? prefix : ConstTensor(suffix[place.suffix]), view.kv_head)
        .rows_at(place.first, keys);
  };
  KeyTile tile = {of(problem.prefix_k, problem.suffix_k), of(problem.prefix_v, problem.suffix_v), {}, {}, {}};
  if (!gradients) return tile;
  const auto sum_of = [&](const Matrix& prefix, const Tensor& suffix) {
    return (place.suffix < 0 ? prefix : prefix_of(suffix[place.suffix], view.kv_head)).rows_at(place.first, keys);
  };
  tile.d_k = sum_of(gradients->d_prefix_k, gradients->grad.d_suffix_k);
  tile.d_v = sum_of(gradients->d_prefix_v, gradients->grad.d_suffix_v);
  return tile;
}

// A PARTIAL tile, cut to the keys from the first to the last that some lane sees and copied, so that what no lane sees
// is neither read nor written.
class PartialTile {
 public:
  PartialTile(const TileView& view, const KeyPlace& place, float* memory) : view_(view), place_(place), room_(memory) {
    for (int64_t lane = 0; lane < view_.sizes.lanes; ++lane) find_seen(lane);
    cut();
  }
  static int64_t floats(const TileSizes& sizes) {
    return 2 * sizes.lanes + kTileKeys * (1 + 2 * sizes.dim + 2 * sizes.value_dim);
  }

  void visit(const KeyGradients* gradients, const KeyWalk::Visit& visit) {
    KeyPlace place = place_;
    place.first += low_;
    const KeyTile whole = as_it_lies(view_, place, gradients, keys_);
    const KeyTile tile = {
        k_.rows_at(0, keys_), v_.rows_at(0, keys_), d_k_.rows_at(0, keys_), d_v_.rows_at(0, keys_), {first_, last_}};
    gather(whole.k, k_), gather(whole.v, v_);
    if (gradients) fill_zero(tile.d_k), fill_zero(tile.d_v);
    visit(tile);
    if (gradients) scatter(tile.d_k, whole.d_k), scatter(tile.d_v, whole.d_v);
  }

 private:
  // An empty range has its last key before its first.
  void find_seen(int64_t lane) {
    first_[lane] = 0, last_[lane] = -1;
    if (lane >= view_.lanes()) return;
    const int64_t row = view_.row_of(lane);
    const auto key_of = [&](const ConstTensor& index) { return index.as<int32_t>()[row] - place_.first; };
    const bool prefix = place_.suffix < 0;
    const int64_t first = key_of(prefix ? view_.problem.start : view_.problem.suffix_row);
    const int64_t last = prefix ? key_of(view_.problem.token) : first;
    if (last < 0 || first >= kTileKeys) return;
    first_[lane] = static_cast<int32_t>(std::max<int64_t>(first, 0));
    last_[lane] = static_cast<int32_t>(std::min(last, kTileKeys - 1));
  }

  void cut() {
    std::fill_n(seen_, kTileKeys, 0);
    for (int64_t lane = 0; lane < view_.lanes(); ++lane)
      if (first_[lane] <= last_[lane]) std::fill(seen_ + first_[lane], seen_ + last_[lane] + 1, 1);
    int64_t end = kTileKeys;
    while (low_ < end && !seen_[low_]) ++low_;
    while (end > low_ && !seen_[end - 1]) --end;
    keys_ = end - low_;
    for (int64_t lane = 0; lane < view_.sizes.lanes; ++lane)
      first_[lane] -= static_cast<int32_t>(low_), last_[lane] -= static_cast<int32_t>(low_);
  }

  void gather(const ConstMatrix& from, const Matrix& to) const {
    for (int64_t key = 0; key < keys_; ++key) {
      if (seen_[low_ + key])
        std::copy_n(from.row(key), to.columns, to.row(key));
      else
        std::fill_n(to.row(key), to.columns, 0.0f);
    }
  }

  void scatter(const Matrix& from, const Matrix& to) const {
    for (int64_t key = 0; key < keys_; ++key)
      if (seen_[low_ + key])
        for (int64_t i = 0; i < from.columns; ++i) to.row(key)[i] += from.row(key)[i];
  }

  const TileView& view_;
  const KeyPlace place_;
  FloatRoom room_;
  int32_t* const first_ = room_.take_integers(view_.sizes.lanes);
  int32_t* const last_ = room_.take_integers(view_.sizes.lanes);
  int32_t* const seen_ = room_.take_integers(kTileKeys);  // 1: by some lane
  const Matrix k_ = room_.matrix(kTileKeys, view_.sizes.dim);
  const Matrix v_ = room_.matrix(kTileKeys, view_.sizes.value_dim);
  const Matrix d_k_ = room_.matrix(kTileKeys, view_.sizes.dim);
  const Matrix d_v_ = room_.matrix(kTileKeys, view_.sizes.value_dim);
  int64_t low_ = 0, keys_ = 0;  // of the tile, after the cut
};

}  // namespace

MaskWalk::MaskWalk(const SuffixAttention& problem)
    : KeyWalk(problem, 2),  // rows: see BlockTile
      tile_{.rows = static_cast<int32_t>(sizes().tile_rows), .keys = kTileKeys},
      rows_(mask_rows(problem, tile_)) {}

int64_t MaskWalk::mask_bytes() const { return 4 * block_mask_capacity(rows_, tile_).elements() + kScratchAlignment; }

void MaskWalk::build(Exec& exec) {
  const BlockMaskSizes sizes = block_mask_capacity(rows_, tile_);
  mask_ = place_block_mask(sizes, tile_, exec.scratch.take(DType::i32, {sizes.elements()}).as<int32_t>());
  build_block_mask(rows_, mask_);
}

int64_t MaskWalk::floats() const { return PartialTile::floats(sizes()); }

void MaskWalk::visit(const TileView& view, float* memory, const KeyGradients* gradients, const Visit& visit) const {
  const auto for_each = [&](const TileList& list, const auto& use) {
    for (int32_t i = list.offsets[view.tile.index]; i < list.offsets[view.tile.index + 1]; ++i)
      use(KeyPlace(rows_, kTileKeys * list.indices[i]));
  };
  for_each(mask_.full_keys, [&](const KeyPlace& place) { visit(as_it_lies(view, place, gradients, kTileKeys)); });
  for_each(mask_.partial_keys,
           [&](const KeyPlace& place) { PartialTile(view, place, memory).visit(gradients, visit); });
}

}  // namespace eyrie::tiles
