// Backward of the fused backend: weights are recomputed from the merged lse, tile by tile. A unit is a key-value head
// and every `parts`-th lane tile of each sequence; it walks its tiles in order and owns where it adds, so every sum has
// one order. Part 0 adds into the gradients themselves, the others into memory of their own that is added at the end.
#include <omp.h>

#include <algorithm>
#include <numbers>

#include "attention/fused/lane_tile.h"

namespace eyrie::fused {
namespace {

// Where a unit adds its d_k or d_v: row `token` at data + token * step.
struct Sum {
  float* data;
  int64_t step;
};

class BackwardTile {
 public:
  BackwardTile(const TileView& view, const SuffixAttentionBackward& grad, Sum d_k, Sum d_v, float* memory)
      : view_(view), sizes_(view.sizes), grad_(grad), d_k_(d_k), d_v_(d_v) {
    FloatRoom room(memory);
    q_ = room.take(sizes_.lanes * sizes_.dim), q_columns_ = room.take(sizes_.lanes * sizes_.dim);
    d_q_ = room.take(sizes_.lanes * sizes_.dim), d_q_columns_ = room.take(sizes_.lanes * sizes_.dim);
    d_o_ = room.take(sizes_.lanes * sizes_.value_dim), d_o_columns_ = room.take(sizes_.lanes * sizes_.value_dim);
    weight_ = room.take(sizes_.lanes * kTileKeys), d_score_ = room.take(sizes_.lanes * kTileKeys);
    lse_ = room.take(sizes_.lanes), delta_ = room.take(sizes_.lanes);
    last_key_ = reinterpret_cast<int32_t*>(room.take(sizes_.lanes));
  }
  static int64_t floats(const TileSizes& sizes) {
    return sizes.lanes * (4 * sizes.dim + 2 * sizes.value_dim + 2 * kTileKeys + 3);
  }

  void run() {
    view_.gather(view_.problem.q, view_.problem.scale, q_);
    view_.transpose(q_, sizes_.dim, q_columns_);
    view_.gather(grad_.d_o, 1, d_o_);
    view_.transpose(d_o_, sizes_.value_dim, d_o_columns_);
    find_delta();
    std::fill_n(d_q_, sizes_.lanes * sizes_.dim, 0.0f);
    if (sizes_.depth > 0) add_suffix();
    view_.transpose(d_q_, sizes_.dim, d_q_columns_);
    const int64_t keys = view_.keys();
    for (int64_t key = 0; key < keys; key += kTileKeys) add_keys(key, std::min(keys - key, kTileKeys));
    write_d_q();
  }

 private:
  void find_delta() {
    const auto o = grad_.o.view<float, 3>();
    const auto lse = grad_.lse.view<float, 2>();
    std::fill_n(lse_, sizes_.lanes, 0.0f);
    std::fill_n(delta_, sizes_.lanes, 0.0f);
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      const int64_t row = view_.row_of(lane), head = view_.head_of(lane);
      lse_[lane] = lse(row, head) * std::numbers::log2e_v<float>;
      dot({.a = d_o_ + lane * sizes_.value_dim,
           .lanes = 1,
           .width = sizes_.value_dim,
           .b = o.row(row, head),
           .b_step = 0,
           .count = 1,
           .out = delta_ + lane,
           .out_step = 0});
    }
  }

  // A row's suffix keys are its own: nobody else adds to their gradients.
  void add_suffix() {
    const auto k = view_.problem.suffix_k.view<float, 4>(), v = view_.problem.suffix_v.view<float, 4>();
    const auto d_k = grad_.d_suffix_k.view<float, 4>(), d_v = grad_.d_suffix_v.view<float, 4>();
    std::fill_n(weight_, sizes_.depth * sizes_.lanes, 0.0f);
    std::fill_n(d_score_, sizes_.depth * sizes_.lanes, 0.0f);
    for (int64_t lane = 0; lane < view_.lanes(); lane += sizes_.group) {
      const int64_t place = view_.suffix_row(view_.row_of(lane));
      dot({.a = q_ + lane * sizes_.dim,
           .lanes = sizes_.group,
           .width = sizes_.dim,
           .b = k.row(0, place, view_.kv_head),
           .b_step = k.strides[0],
           .count = sizes_.depth,
           .out = weight_ + lane,
           .out_step = sizes_.lanes});
      dot({.a = d_o_ + lane * sizes_.value_dim,
           .lanes = sizes_.group,
           .width = sizes_.value_dim,
           .b = v.row(0, place, view_.kv_head),
           .b_step = v.strides[0],
           .count = sizes_.depth,
           .out = d_score_ + lane,
           .out_step = sizes_.lanes});
    }
    weigh(sizes_.depth, nullptr);
    for (int64_t lane = 0; lane < view_.lanes(); lane += sizes_.group) {
      const int64_t place = view_.suffix_row(view_.row_of(lane));
      multiply({.a = d_score_ + lane,
                .a_row = 1,
                .a_step = sizes_.lanes,
                .b = k.row(0, place, view_.kv_head),
                .b_step = k.strides[0],
                .c = d_q_ + lane * sizes_.dim,
                .c_row = sizes_.dim,
                .rows = sizes_.group,
                .columns = sizes_.dim,
                .steps = sizes_.depth,
                .add = false});
      multiply({.a = d_score_ + lane,
                .a_row = sizes_.lanes,
                .a_step = 1,
                .b = q_ + lane * sizes_.dim,
                .b_step = sizes_.dim,
                .c = d_k.row(0, place, view_.kv_head),
                .c_row = d_k.strides[0],
                .rows = sizes_.depth,
                .columns = sizes_.dim,
                .steps = sizes_.group,
                .add = true});
      multiply({.a = weight_ + lane,
                .a_row = sizes_.lanes,
                .a_step = 1,
                .b = d_o_ + lane * sizes_.value_dim,
                .b_step = sizes_.value_dim,
                .c = d_v.row(0, place, view_.kv_head),
                .c_row = d_v.strides[0],
                .rows = sizes_.depth,
                .columns = sizes_.value_dim,
                .steps = sizes_.group,
                .add = true});
    }
  }

  void add_keys(int64_t first_key, int64_t keys) {
    const auto k_rows = view_.problem.prefix_k.view<float, 3>(), v_rows = view_.problem.prefix_v.view<float, 3>();
    const int64_t first = view_.start() + first_key, lanes = sizes_.lanes;
    const float *k = k_rows.row(first, view_.kv_head), *v = v_rows.row(first, view_.kv_head);
    multiply({.a = k,
              .a_row = k_rows.strides[0],
              .a_step = 1,
              .b = q_columns_,
              .b_step = lanes,
              .c = weight_,
              .c_row = lanes,
              .rows = keys,
              .columns = lanes,
              .steps = sizes_.dim,
              .add = false});
    multiply({.a = v,
              .a_row = v_rows.strides[0],
              .a_step = 1,
              .b = d_o_columns_,
              .b_step = lanes,
              .c = d_score_,
              .c_row = lanes,
              .rows = keys,
              .columns = lanes,
              .steps = sizes_.value_dim,
              .add = false});
    weigh(keys, view_.last_keys(first_key, keys, last_key_));
    multiply({.a = k,
              .a_row = 1,
              .a_step = k_rows.strides[0],
              .b = d_score_,
              .b_step = lanes,
              .c = d_q_columns_,
              .c_row = lanes,
              .rows = sizes_.dim,
              .columns = lanes,
              .steps = keys,
              .add = true});
    multiply({.a = d_score_,
              .a_row = lanes,
              .a_step = 1,
              .b = q_,
              .b_step = sizes_.dim,
              .c = d_k_.data + first * d_k_.step,
              .c_row = d_k_.step,
              .rows = keys,
              .columns = sizes_.dim,
              .steps = view_.lanes(),
              .add = true});
    multiply({.a = weight_,
              .a_row = lanes,
              .a_step = 1,
              .b = d_o_,
              .b_step = sizes_.value_dim,
              .c = d_v_.data + first * d_v_.step,
              .c_row = d_v_.step,
              .rows = keys,
              .columns = sizes_.value_dim,
              .steps = view_.lanes(),
              .add = true});
  }

  void weigh(int64_t keys, const int32_t* last_key) {
    gradient({.score = weight_,
              .d_p = d_score_,
              .keys = keys,
              .lanes = sizes_.lanes,
              .last_key = last_key,
              .factor = std::numbers::log2e_v<float>,
              .lse = lse_,
              .delta = delta_});
  }

  void write_d_q() {
    const auto out = grad_.d_q.view<float, 3>();
    view_.transpose_back(d_q_columns_, sizes_.dim, d_q_);
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      float* to = out.row(view_.row_of(lane), view_.head_of(lane));
      for (int64_t i = 0; i < sizes_.dim; ++i) to[i] = view_.problem.scale * d_q_[lane * sizes_.dim + i];
    }
  }

  const TileView view_;
  const TileSizes& sizes_;
  const SuffixAttentionBackward& grad_;
  const Sum d_k_, d_v_;
  float *q_, *q_columns_;      // [lanes, dim] and [dim, lanes], times scale
  float *d_q_, *d_q_columns_;  // the same, not yet times scale
  float *d_o_, *d_o_columns_;  // [lanes, value_dim] and [value_dim, lanes]
  float *weight_, *d_score_;   // [keys of a tile, lanes]: scores and d_p before they are weighed
  float *lse_, *delta_;        // lse in powers of two
  int32_t* last_key_;
};

// Two units a thread even out what the heads alone would leave uneven. Depends on nothing but heads and threads: sums
// keep their order whatever the batch.
int64_t part_count(const TileSizes& sizes) {
  return std::max<int64_t>((2 * omp_get_max_threads() + sizes.kv_heads - 1) / sizes.kv_heads, 1);
}

int64_t part_floats(const TileSizes& sizes) { return sizes.kv_heads * sizes.tokens * (sizes.dim + sizes.value_dim); }

// d_k and d_v of the parts beyond the first: [part - 1, kv_heads, tokens, dim or value_dim].
struct Parts {
  const TileSizes& sizes;
  int64_t count;
  float* memory;

  Sum d_k(const SuffixAttentionBackward& grad, int64_t part, int64_t kv_head) const {
    if (part == 0) return {grad.d_prefix_k.view<float, 3>().row(0, kv_head), grad.d_prefix_k.strides[0]};
    return {memory + (part - 1) * part_floats(sizes) + kv_head * sizes.tokens * sizes.dim, sizes.dim};
  }
  Sum d_v(const SuffixAttentionBackward& grad, int64_t part, int64_t kv_head) const {
    if (part == 0) return {grad.d_prefix_v.view<float, 3>().row(0, kv_head), grad.d_prefix_v.strides[0]};
    const int64_t behind_k = sizes.kv_heads * sizes.tokens * sizes.dim;
    return {memory + (part - 1) * part_floats(sizes) + behind_k + kv_head * sizes.tokens * sizes.value_dim,
            sizes.value_dim};
  }
};

void clear(Sum sum, int64_t tokens) { std::fill_n(sum.data, tokens * sum.step, 0.0f); }

void add(Sum from, Sum to, int64_t token, int64_t width) {
  for (int64_t i = 0; i < width; ++i) to.data[token * to.step + i] += from.data[token * from.step + i];
}

void run_unit(const SuffixAttention& problem, const SuffixAttentionBackward& grad, const Parts& parts,
              const TileList& list, int64_t part, int64_t kv_head, float* memory) {
  const Sum d_k = parts.d_k(grad, part, kv_head), d_v = parts.d_v(grad, part, kv_head);
  if (part > 0) clear(d_k, parts.sizes.tokens), clear(d_v, parts.sizes.tokens);
  for (int64_t i = 0; i < list.count; ++i)
    if (list.tiles[i].index % parts.count == part)
      BackwardTile({problem, parts.sizes, list.tiles[i], kv_head}, grad, d_k, d_v, memory).run();
}

}  // namespace

int64_t backward_bytes(const TileSizes& sizes) {
  return list_bytes(sizes) + 4 * omp_get_max_threads() * BackwardTile::floats(sizes) +
         4 * (part_count(sizes) - 1) * part_floats(sizes);
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const TileSizes sizes(problem);
  const ScratchScope scope(exec.scratch);
  const TileList list = list_tiles(exec, problem, sizes);
  const int64_t used = std::min(part_count(sizes), std::max<int64_t>(list.most_in_sequence, 1));
  const Parts parts = {sizes, part_count(sizes),
                       exec.scratch.take(DType::f32, {(used - 1) * part_floats(sizes)}).as<float>()};
  const Tensor memory = exec.scratch.take(DType::f32, {omp_get_max_threads(), BackwardTile::floats(sizes)});
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int64_t kv_head = 0; kv_head < sizes.kv_heads; ++kv_head)
    for (int64_t part = 0; part < used; ++part)
      run_unit(problem, grad, parts, list, part, kv_head, memory[omp_get_thread_num()].as<float>());
#pragma omp parallel for
  for (int64_t token = 0; token < sizes.tokens; ++token)
    for (int64_t part = 1; part < used; ++part)
      for (int64_t kv_head = 0; kv_head < sizes.kv_heads; ++kv_head) {
        add(parts.d_k(grad, part, kv_head), parts.d_k(grad, 0, kv_head), token, sizes.dim);
        add(parts.d_v(grad, part, kv_head), parts.d_v(grad, 0, kv_head), token, sizes.value_dim);
      }
}

}  // namespace eyrie::fused
