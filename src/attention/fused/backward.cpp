// Backward of the fused backend: weights are recomputed from the merged lse, tile by tile. A unit is a key-value head
// and every `parts`-th lane tile of each sequence; it walks its tiles in order and owns where it adds, so every sum has
// one order. Part 0 adds into the gradients themselves, the others into memory of their own that is added at the end.
#include <omp.h>

#include <algorithm>
#include <numbers>

#include "attention/fused/lane_tile.h"

namespace eyrie::fused {
namespace {

class BackwardTile {
 public:
  // d_k and d_v: [tokens, width], where this tile adds the gradients of its keys.
  BackwardTile(const TileView& view, const SuffixAttentionBackward& grad, Matrix d_k, Matrix d_v, float* memory)
      : view_(view), sizes_(view.sizes), grad_(grad), d_k_(d_k), d_v_(d_v), room_(memory) {}
  static int64_t floats(const TileSizes& sizes) {
    return sizes.lanes * (4 * sizes.dim + 2 * sizes.value_dim + 2 * kTileKeys + 3);
  }

  void run() {
    view_.gather(view_.problem.q, view_.problem.scale, q_);
    transpose(q_, q_columns_);
    view_.gather(grad_.d_o, 1, d_o_);
    transpose(d_o_, d_o_columns_);
    find_delta();
    std::fill(d_q_.data, d_q_.row(d_q_.rows), 0.0f);
    if (sizes_.depth > 0) add_suffix();
    transpose(d_q_, d_q_columns_);
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
      const ConstMatrix o_row = {o.row(row, head), 1, sizes_.value_dim, sizes_.value_dim};
      set_dots({delta_ + lane, 1, 1, 1}, o_row, d_o_.rows_at(lane, 1));
    }
  }

  // A row's suffix keys are its own: nobody else adds to their gradients.
  void add_suffix() {
    const Matrix weight = weight_.rows_at(0, sizes_.depth), d_score = d_score_.rows_at(0, sizes_.depth);
    const int64_t group = sizes_.group;
    std::fill(weight.data, weight.row(weight.rows), 0.0f);
    std::fill(d_score.data, d_score.row(d_score.rows), 0.0f);
    for (int64_t lane = 0; lane < view_.lanes(); lane += group) {
      set_dots(weight.columns_at(lane, group), view_.suffix(view_.problem.suffix_k, lane), q_.rows_at(lane, group));
      set_dots(d_score.columns_at(lane, group), view_.suffix(view_.problem.suffix_v, lane), d_o_.rows_at(lane, group));
    }
    weigh(weight, d_score, nullptr);
    for (int64_t lane = 0; lane < view_.lanes(); lane += group) {
      const Matrix p = weight.columns_at(lane, group), d_s = d_score.columns_at(lane, group);
      set_product(d_q_.rows_at(lane, group), d_s.transposed(), view_.suffix(view_.problem.suffix_k, lane));
      add_product(view_.suffix(grad_.d_suffix_k, lane), d_s, q_.rows_at(lane, group));
      add_product(view_.suffix(grad_.d_suffix_v, lane), p, d_o_.rows_at(lane, group));
    }
  }

  void add_keys(int64_t first_key, int64_t keys) {
    const ConstMatrix k = view_.prefix(view_.problem.prefix_k, first_key, keys);
    const ConstMatrix v = view_.prefix(view_.problem.prefix_v, first_key, keys);
    const Matrix weight = weight_.rows_at(0, keys), d_score = d_score_.rows_at(0, keys);
    set_product(weight, k, q_columns_);
    set_product(d_score, v, d_o_columns_);
    weigh(weight, d_score, view_.last_keys(first_key, keys, last_key_));
    const int64_t first = view_.start() + first_key, lanes = view_.lanes();
    add_product(d_q_columns_, k.transposed(), d_score);
    add_product(d_k_.rows_at(first, keys), d_score.columns_at(0, lanes), q_.rows_at(0, lanes));
    add_product(d_v_.rows_at(first, keys), weight.columns_at(0, lanes), d_o_.rows_at(0, lanes));
  }

  void weigh(const Matrix& weight, const Matrix& d_score, const int32_t* last_key) {
    gradient({weight, d_score, last_key, std::numbers::log2e_v<float>, lse_, delta_});
  }

  void write_d_q() {
    const auto out = grad_.d_q.view<float, 3>();
    transpose(d_q_columns_, d_q_);
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      float* to = out.row(view_.row_of(lane), view_.head_of(lane));
      for (int64_t i = 0; i < sizes_.dim; ++i) to[i] = view_.problem.scale * d_q_.row(lane)[i];
    }
  }

  const TileView view_;
  const TileSizes& sizes_;
  const SuffixAttentionBackward& grad_;
  const Matrix d_k_, d_v_;
  FloatRoom room_;
  const Matrix q_ = room_.matrix(sizes_.lanes, sizes_.dim);  // times scale
  const Matrix q_columns_ = room_.matrix(sizes_.dim, sizes_.lanes);
  const Matrix d_q_ = room_.matrix(sizes_.lanes, sizes_.dim);  // not yet times scale
  const Matrix d_q_columns_ = room_.matrix(sizes_.dim, sizes_.lanes);
  const Matrix d_o_ = room_.matrix(sizes_.lanes, sizes_.value_dim);
  const Matrix d_o_columns_ = room_.matrix(sizes_.value_dim, sizes_.lanes);
  const Matrix weight_ = room_.matrix(kTileKeys, sizes_.lanes);   // scores before they are weighed
  const Matrix d_score_ = room_.matrix(kTileKeys, sizes_.lanes);  // d_p before it is weighed
  float* const lse_ = room_.take(sizes_.lanes);                   // in powers of two
  float* const delta_ = room_.take(sizes_.lanes);
  int32_t* const last_key_ = reinterpret_cast<int32_t*>(room_.take(sizes_.lanes));
};

// Two units a thread even out what the heads alone would leave uneven. Depends on nothing but heads and threads: sums
// keep their order whatever the batch.
int64_t part_count(const TileSizes& sizes) {
  return std::max<int64_t>((2 * omp_get_max_threads() + sizes.kv_heads - 1) / sizes.kv_heads, 1);
}

int64_t part_floats(const TileSizes& sizes) { return sizes.kv_heads * sizes.tokens * (sizes.dim + sizes.value_dim); }

// Where each part adds d_k and d_v of a head, [tokens, width]: part 0 into the gradients, the others into memory of
// their own.
struct Parts {
  const TileSizes& sizes;
  const SuffixAttentionBackward& grad;
  int64_t count;
  float* memory;

  Matrix d_k(int64_t part, int64_t kv_head) const {
    if (part == 0) return whole(grad.d_prefix_k, kv_head);
    return {own(part) + kv_head * sizes.tokens * sizes.dim, sizes.tokens, sizes.dim, sizes.dim};
  }
  Matrix d_v(int64_t part, int64_t kv_head) const {
    if (part == 0) return whole(grad.d_prefix_v, kv_head);
    float* behind_k = own(part) + sizes.kv_heads * sizes.tokens * sizes.dim;
    return {behind_k + kv_head * sizes.tokens * sizes.value_dim, sizes.tokens, sizes.value_dim, sizes.value_dim};
  }

 private:
  float* own(int64_t part) const { return memory + (part - 1) * part_floats(sizes); }
  static Matrix whole(const Tensor& tensor, int64_t kv_head) {
    const auto all = tensor.view<float, 3>();
    return {all.row(0, kv_head), all.dims[0], all.dims[2], all.strides[0]};
  }
};

void run_unit(const SuffixAttention& problem, const Parts& parts, const TileList& list, int64_t part, int64_t kv_head,
              float* memory) {
  const Matrix d_k = parts.d_k(part, kv_head), d_v = parts.d_v(part, kv_head);
  if (part > 0) {
    std::fill(d_k.data, d_k.row(d_k.rows), 0.0f);
    std::fill(d_v.data, d_v.row(d_v.rows), 0.0f);
  }
  for (int64_t i = 0; i < list.count; ++i)
    if (list.tiles[i].index % parts.count == part)
      BackwardTile({problem, parts.sizes, list.tiles[i], kv_head}, parts.grad, d_k, d_v, memory).run();
}

void add_row(const Matrix& from, const Matrix& to, int64_t row) {
  for (int64_t i = 0; i < to.columns; ++i) to.row(row)[i] += from.row(row)[i];
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
  const Tensor part_memory = exec.scratch.take(DType::f32, {(used - 1) * part_floats(sizes)});
  const Parts parts = {sizes, grad, part_count(sizes), part_memory.as<float>()};
  const Tensor memory = exec.scratch.take(DType::f32, {omp_get_max_threads(), BackwardTile::floats(sizes)});
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int64_t kv_head = 0; kv_head < sizes.kv_heads; ++kv_head)
    for (int64_t part = 0; part < used; ++part)
      run_unit(problem, parts, list, part, kv_head, memory[omp_get_thread_num()].as<float>());
  if (used == 1) return;
#pragma omp parallel for collapse(2)
  for (int64_t kv_head = 0; kv_head < sizes.kv_heads; ++kv_head)
    for (int64_t token = 0; token < sizes.tokens; ++token)
      for (int64_t part = 1; part < used; ++part) {
        add_row(parts.d_k(part, kv_head), parts.d_k(0, kv_head), token);
        add_row(parts.d_v(part, kv_head), parts.d_v(0, kv_head), token);
      }
}

}  // namespace eyrie::fused
