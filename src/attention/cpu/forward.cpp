// The forward loop. Per tile of 64 lanes an online softmax: the lanes' state starts empty, from the outputs or from
// their suffix, then tiles of 64 keys pass by. A tile of keys, its scores and its sums stay in the first two caches
// (D = 64: 16 KiB each).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "attention/cpu/loop.h"
#include "ops/parallel.h"

namespace eyrie::tiles {
namespace {

class ForwardTile {
 public:
  ForwardTile(const TileView& view, float* memory) : view_(view), sizes_(view.sizes), room_(memory) {}
  static int64_t floats(const TileSizes& sizes) {
    return sizes.lanes * (2 * sizes.dim + 2 * sizes.value_dim + kTileKeys + 3);
  }

  void run(const Pass& pass, const Tensor& o, const Tensor& lse) {
    // Scores in powers of two: one multiplication here instead of one in every exponential.
    view_.gather(view_.problem.q, view_.problem.scale * std::numbers::log2e_v<float>, q_);
    start_empty();
    if (pass.onto_output) start_from(o, lse);
    if (pass.suffix && sizes_.depth > 0) add_suffix(pass.onto_output);
    if (pass.keys) add_keys(pass.walk);
    finish(o, lse);
  }

 private:
  void start_empty() {
    std::fill_n(highest_, sizes_.lanes, std::numeric_limits<float>::lowest());
    std::fill_n(sum_, sizes_.lanes, 0.0f);
    fill_zero(o_);
  }

  // What is there already counts as one key, of score lse and value o.
  void start_from(const Tensor& o, const Tensor& lse) {
    const auto scores = lse.view<float, 2>();
    view_.gather(o, 1, o_);
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      highest_[lane] = scores(view_.row_of(lane), view_.head_of(lane)) * std::numbers::log2e_v<float>;
      sum_[lane] = 1;
    }
  }

  void add_suffix(bool onto_output) {
    const Matrix score = tile_.rows_at(0, sizes_.depth);
    const int64_t group = sizes_.group;
    fill_zero(score);
    for (int64_t lane = 0; lane < view_.lanes(); lane += group)
      set_dots(score.columns_at(lane, group), view_.suffix(view_.problem.suffix_k, lane), q_.rows_at(lane, group));
    softmax({score, {}, highest_, sum_, older_});
    if (onto_output)  // else o_ is still 0
      for (int64_t lane = 0; lane < view_.lanes(); ++lane)
        for (int64_t i = 0; i < sizes_.value_dim; ++i) o_.row(lane)[i] *= older_[lane];
    for (int64_t lane = 0; lane < view_.lanes(); lane += group)
      add_product(o_.rows_at(lane, group), score.columns_at(lane, group).transposed(),
                  view_.suffix(view_.problem.suffix_v, lane));
  }

  void add_keys(const KeyWalk& walk) {
    transpose(q_, q_columns_);
    transpose(o_, o_columns_);
    walk.visit(view_, walk_memory_, nullptr, [this](const KeyTile& tile) { add_tile(tile); });
    transpose(o_columns_, o_);
  }

  void add_tile(const KeyTile& tile) {
    const Matrix score = tile_.rows_at(0, tile.k.rows);
    set_product(score, tile.k, q_columns_);
    softmax({score, tile.seen, highest_, sum_, older_});
    if (std::any_of(older_, older_ + sizes_.lanes, [](float factor) { return factor != 1; }))
      scale_rows(o_columns_, older_);
    add_product(o_columns_, tile.v.transposed(), score);
  }

  void finish(const Tensor& o, const Tensor& lse) {
    const auto out = o.view<float, 3>();
    const auto out_lse = lse.view<float, 2>();
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      const int64_t row = view_.row_of(lane), head = view_.head_of(lane);
      const float share = 1 / sum_[lane], *from = o_.row(lane);
      float* to = out.row(row, head);
      // + 0 makes a -0, which a key beyond the row may have left behind, the same 0 in every batch.
      for (int64_t i = 0; i < sizes_.value_dim; ++i) to[i] = from[i] * share + 0.0f;
      out_lse(row, head) = (highest_[lane] + std::log2(sum_[lane])) * std::numbers::ln2_v<float>;
    }
  }

  const TileView view_;
  const TileSizes& sizes_;
  FloatRoom room_;
  const Matrix q_ = room_.matrix(sizes_.lanes, sizes_.dim);  // times scale and log2(e)
  const Matrix q_columns_ = room_.matrix(sizes_.dim, sizes_.lanes);
  const Matrix o_ = room_.matrix(sizes_.lanes, sizes_.value_dim);  // not yet divided by sum
  const Matrix o_columns_ = room_.matrix(sizes_.value_dim, sizes_.lanes);
  const Matrix tile_ = room_.matrix(kTileKeys, sizes_.lanes);  // scores, then weights
  float* const highest_ = room_.take(sizes_.lanes);
  float* const sum_ = room_.take(sizes_.lanes);
  float* const older_ = room_.take(sizes_.lanes);
  float* const walk_memory_ = room_.take(0);
};

int64_t thread_floats(const KeyWalk& walk) { return ForwardTile::floats(walk.sizes()) + walk.floats(); }

}  // namespace

int64_t forward_bytes(const KeyWalk& walk) {
  return walk.lane_tiles_bytes() + 4 * thread_count() * thread_floats(walk) + 2 * kScratchAlignment;
}

void forward(Exec& exec, const Pass& pass, const Tensor& o, const Tensor& lse) {
  const TileSizes& sizes = pass.walk.sizes();
  const ScratchScope scope(exec.scratch);
  const LaneTiles list = pass.walk.lane_tiles(exec);
  const Tensor memory = exec.scratch.take(DType::f32, {thread_count(), thread_floats(pass.walk)});
  // The last tiles of a sequence are the longest: they go first. Which thread takes a tile does not change it.
  for_each_item(exec, list.count * sizes.kv_heads, least_operations(sizes, list), [&](int64_t thread, int64_t item) {
    const LaneTile& tile = list.tiles[list.count - 1 - item / sizes.kv_heads];
    const TileView view = {pass.walk.problem(), sizes, tile, item % sizes.kv_heads};
    ForwardTile(view, memory[thread].as<float>()).run(pass, o, lse);
  });
}

}  // namespace eyrie::tiles
