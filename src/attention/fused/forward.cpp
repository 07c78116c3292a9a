// Forward of the fused backend. Per tile of 64 lanes: the suffix starts the online softmax, then the keys of the
// sequence pass by in tiles of 64. A tile of keys, its scores and its sums stay in the first two caches (D = 64: 16 KiB
// each).
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "attention/fused/lane_tile.h"

namespace eyrie::fused {
namespace {

class ForwardTile {
 public:
  ForwardTile(const TileView& view, float* memory) : view_(view), sizes_(view.sizes), room_(memory) {}
  static int64_t floats(const TileSizes& sizes) {
    return sizes.lanes * (2 * sizes.dim + 2 * sizes.value_dim + kTileKeys + 4);
  }

  void run(const Tensor& o, const Tensor& lse) {
    // Scores in powers of two: one multiplication here instead of one in every exponential.
    view_.gather(view_.problem.q, view_.problem.scale * std::numbers::log2e_v<float>, q_);
    transpose(q_, q_columns_);
    std::fill_n(highest_, sizes_.lanes, std::numeric_limits<float>::lowest());
    std::fill_n(sum_, sizes_.lanes, 0.0f);
    std::fill(o_.data, o_.row(o_.rows), 0.0f);
    if (sizes_.depth > 0) add_suffix();
    transpose(o_, o_columns_);
    const int64_t keys = view_.keys();
    for (int64_t key = 0; key < keys; key += kTileKeys) add_keys(key, std::min(keys - key, kTileKeys));
    finish(o, lse);
  }

 private:
  void add_suffix() {
    const Matrix score = tile_.rows_at(0, sizes_.depth);
    const int64_t group = sizes_.group;
    std::fill(score.data, score.row(score.rows), 0.0f);
    for (int64_t lane = 0; lane < view_.lanes(); lane += group)
      set_dots(score.columns_at(lane, group), view_.suffix(view_.problem.suffix_k, lane), q_.rows_at(lane, group));
    softmax({score, nullptr, highest_, sum_, older_});
    for (int64_t lane = 0; lane < view_.lanes(); lane += group)
      set_product(o_.rows_at(lane, group), score.columns_at(lane, group).transposed(),
                  view_.suffix(view_.problem.suffix_v, lane));
  }

  void add_keys(int64_t first_key, int64_t keys) {
    const Matrix score = tile_.rows_at(0, keys);
    set_product(score, view_.prefix(view_.problem.prefix_k, first_key, keys), q_columns_);
    softmax({score, view_.last_keys(first_key, keys, last_key_), highest_, sum_, older_});
    if (std::any_of(older_, older_ + sizes_.lanes, [](float factor) { return factor != 1; }))
      scale_rows(o_columns_, older_);
    add_product(o_columns_, view_.prefix(view_.problem.prefix_v, first_key, keys).transposed(), score);
  }

  void finish(const Tensor& o, const Tensor& lse) {
    const auto out = o.view<float, 3>();
    const auto out_lse = lse.view<float, 2>();
    transpose(o_columns_, o_);
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
  int32_t* const last_key_ = reinterpret_cast<int32_t*>(room_.take(sizes_.lanes));
};

}  // namespace

int64_t forward_bytes(const TileSizes& sizes) {
  return list_bytes(sizes) + omp_get_max_threads() * ForwardTile::floats(sizes) * 4;
}

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const TileSizes sizes(problem);
  const ScratchScope scope(exec.scratch);
  const TileList list = list_tiles(exec, problem, sizes);
  const Tensor memory = exec.scratch.take(DType::f32, {omp_get_max_threads(), ForwardTile::floats(sizes)});
  // The last tiles of a sequence are the longest: they go first. Which thread takes a tile does not change it.
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int64_t last = 0; last < list.count; ++last)
    for (int64_t kv_head = 0; kv_head < sizes.kv_heads; ++kv_head) {
      const TileView view = {problem, sizes, list.tiles[list.count - 1 - last], kv_head};
      ForwardTile(view, memory[omp_get_thread_num()].as<float>()).run(o, lse);
    }
}

}  // namespace eyrie::fused
