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
  ForwardTile(const TileView& view, float* memory) : view_(view), sizes_(view.sizes) {
    FloatRoom room(memory);
    q_ = room.take(sizes_.lanes * sizes_.dim);
    q_columns_ = room.take(sizes_.lanes * sizes_.dim);
    o_ = room.take(sizes_.lanes * sizes_.value_dim);
    o_columns_ = room.take(sizes_.lanes * sizes_.value_dim);
    score_ = room.take(sizes_.lanes * kTileKeys);
    highest_ = room.take(sizes_.lanes), sum_ = room.take(sizes_.lanes), older_ = room.take(sizes_.lanes);
    last_key_ = reinterpret_cast<int32_t*>(room.take(sizes_.lanes));
  }
  static int64_t floats(const TileSizes& sizes) {
    return sizes.lanes * (2 * sizes.dim + 2 * sizes.value_dim + kTileKeys + 4);
  }

  void run(const Tensor& o, const Tensor& lse) {
    // Scores in powers of two: one multiplication here instead of one in every exponential.
    view_.gather(view_.problem.q, view_.problem.scale * std::numbers::log2e_v<float>, q_);
    view_.transpose(q_, sizes_.dim, q_columns_);
    std::fill_n(highest_, sizes_.lanes, std::numeric_limits<float>::lowest());
    std::fill_n(sum_, sizes_.lanes, 0.0f);
    std::fill_n(o_, sizes_.lanes * sizes_.value_dim, 0.0f);
    if (sizes_.depth > 0) add_suffix();
    view_.transpose(o_, sizes_.value_dim, o_columns_);
    const int64_t keys = view_.keys();
    for (int64_t key = 0; key < keys; key += kTileKeys) add_keys(key, std::min(keys - key, kTileKeys));
    finish(o, lse);
  }

 private:
  void add_suffix() {
    const auto k = view_.problem.suffix_k.view<float, 4>(), v = view_.problem.suffix_v.view<float, 4>();
    std::fill_n(score_, sizes_.depth * sizes_.lanes, 0.0f);
    for (int64_t lane = 0; lane < view_.lanes(); lane += sizes_.group)
      dot({.a = q_ + lane * sizes_.dim,
           .lanes = sizes_.group,
           .width = sizes_.dim,
           .b = k.row(0, view_.suffix_row(view_.row_of(lane)), view_.kv_head),
           .b_step = k.strides[0],
           .count = sizes_.depth,
           .out = score_ + lane,
           .out_step = sizes_.lanes});
    advance(sizes_.depth, nullptr);
    for (int64_t lane = 0; lane < view_.lanes(); lane += sizes_.group)
      multiply({.a = score_ + lane,
                .a_row = 1,
                .a_step = sizes_.lanes,
                .b = v.row(0, view_.suffix_row(view_.row_of(lane)), view_.kv_head),
                .b_step = v.strides[0],
                .c = o_ + lane * sizes_.value_dim,
                .c_row = sizes_.value_dim,
                .rows = sizes_.group,
                .columns = sizes_.value_dim,
                .steps = sizes_.depth,
                .add = false});
  }

  void add_keys(int64_t first_key, int64_t keys) {
    const auto k = view_.problem.prefix_k.view<float, 3>(), v = view_.problem.prefix_v.view<float, 3>();
    multiply({.a = k.row(view_.start() + first_key, view_.kv_head),
              .a_row = k.strides[0],
              .a_step = 1,
              .b = q_columns_,
              .b_step = sizes_.lanes,
              .c = score_,
              .c_row = sizes_.lanes,
              .rows = keys,
              .columns = sizes_.lanes,
              .steps = sizes_.dim,
              .add = false});
    advance(keys, view_.last_keys(first_key, keys, last_key_));
    if (std::any_of(older_, older_ + sizes_.lanes, [](float factor) { return factor != 1; }))
      scale_rows(o_columns_, sizes_.value_dim, sizes_.lanes, older_);
    multiply({.a = v.row(view_.start() + first_key, view_.kv_head),
              .a_row = 1,
              .a_step = v.strides[0],
              .b = score_,
              .b_step = sizes_.lanes,
              .c = o_columns_,
              .c_row = sizes_.lanes,
              .rows = sizes_.value_dim,
              .columns = sizes_.lanes,
              .steps = keys,
              .add = true});
  }

  void advance(int64_t keys, const int32_t* last_key) {
    softmax({.score = score_,
             .keys = keys,
             .lanes = sizes_.lanes,
             .last_key = last_key,
             .highest = highest_,
             .sum = sum_,
             .older = older_});
  }

  void finish(const Tensor& o, const Tensor& lse) {
    const auto out = o.view<float, 3>();
    const auto out_lse = lse.view<float, 2>();
    view_.transpose_back(o_columns_, sizes_.value_dim, o_);
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      const int64_t row = view_.row_of(lane), head = view_.head_of(lane);
      const float share = 1 / sum_[lane], *from = o_ + lane * sizes_.value_dim;
      float* to = out.row(row, head);
      // + 0 makes a -0, which a key beyond the row may have left behind, the same 0 in every batch.
      for (int64_t i = 0; i < sizes_.value_dim; ++i) to[i] = from[i] * share + 0.0f;
      out_lse(row, head) = (highest_[lane] + std::log2(sum_[lane])) * std::numbers::ln2_v<float>;
    }
  }

  const TileView view_;
  const TileSizes& sizes_;
  float *q_, *q_columns_;  // [lanes, dim] and [dim, lanes], times scale and log2(e)
  float *o_, *o_columns_;  // [lanes, value_dim] and [value_dim, lanes], not yet divided by sum
  float* score_;           // [keys of a tile, lanes], then the weights
  float *highest_, *sum_, *older_;
  int32_t* last_key_;
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
