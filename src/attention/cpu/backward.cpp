// The backward loop: weights are recomputed from the merged lse, tile by tile. A unit is a key-value head
// and every `parts`-th lane tile of each sequence; it takes its tiles in order and owns where it adds, so every sum has
// one order. Part 0 adds into the gradients themselves, the others into memory of their own that is added at the end.
#include <algorithm>
#include <numbers>

#include "attention/cpu/loop.h"
#include "ops/parallel.h"

namespace eyrie::tiles {
namespace {

class BackwardTile {
 public:
  BackwardTile(const TileView& view, const KeyGradients& keys, float* memory)
      : view_(view), sizes_(view.sizes), keys_(keys), grad_(keys.grad), room_(memory) {}
  static int64_t floats(const TileSizes& sizes) {
    return sizes.lanes * (4 * sizes.dim + 2 * sizes.value_dim + 2 * kTileKeys + 2);
  }

  void run(const Pass& pass) {
    view_.gather(view_.problem.q, view_.problem.scale, q_);
    view_.gather(grad_.d_o, 1, d_o_);
    find_delta();
    fill_zero(d_q_);
    if (pass.suffix && sizes_.depth > 0) add_suffix();
    if (pass.keys) add_keys(pass.walk);
    write_d_q(pass.onto_output);
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
    fill_zero(weight);
    fill_zero(d_score);
    for (int64_t lane = 0; lane < view_.lanes(); lane += group) {
      set_dots(weight.columns_at(lane, group), view_.suffix(view_.problem.suffix_k, lane), q_.rows_at(lane, group));
      set_dots(d_score.columns_at(lane, group), view_.suffix(view_.problem.suffix_v, lane), d_o_.rows_at(lane, group));
    }
    weigh(weight, d_score, {});
    for (int64_t lane = 0; lane < view_.lanes(); lane += group) {
      const Matrix p = weight.columns_at(lane, group), d_s = d_score.columns_at(lane, group);
      set_product(d_q_.rows_at(lane, group), d_s.transposed(), view_.suffix(view_.problem.suffix_k, lane));
      add_product(view_.suffix(grad_.d_suffix_k, lane), d_s, q_.rows_at(lane, group));
      add_product(view_.suffix(grad_.d_suffix_v, lane), p, d_o_.rows_at(lane, group));
    }
  }

  void add_keys(const KeyWalk& walk) {
    transpose(q_, q_columns_);
    transpose(d_o_, d_o_columns_);
    transpose(d_q_, d_q_columns_);
    walk.visit(view_, walk_memory_, &keys_, [this](const KeyTile& tile) { add_tile(tile); });
    transpose(d_q_columns_, d_q_);
  }

  void add_tile(const KeyTile& tile) {
    const int64_t keys = tile.k.rows, lanes = view_.lanes();
    const Matrix weight = weight_.rows_at(0, keys), d_score = d_score_.rows_at(0, keys);
    set_product(weight, tile.k, q_columns_);
    set_product(d_score, tile.v, d_o_columns_);
    weigh(weight, d_score, tile.seen);
    add_product(d_q_columns_, tile.k.transposed(), d_score);
    add_product(tile.d_k, d_score.columns_at(0, lanes), q_.rows_at(0, lanes));
    add_product(tile.d_v, weight.columns_at(0, lanes), d_o_.rows_at(0, lanes));
  }

  void weigh(const Matrix& weight, const Matrix& d_score, const SeenKeys& seen) {
    gradient({weight, d_score, seen, std::numbers::log2e_v<float>, lse_, delta_});
  }

  void write_d_q(bool onto_output) {
    const auto out = grad_.d_q.view<float, 3>();
    for (int64_t lane = 0; lane < view_.lanes(); ++lane) {
      float* to = out.row(view_.row_of(lane), view_.head_of(lane));
      for (int64_t i = 0; i < sizes_.dim; ++i)
        to[i] = (onto_output ? to[i] : 0.0f) + view_.problem.scale * d_q_.row(lane)[i];
    }
  }

  const TileView view_;
  const TileSizes& sizes_;
  const KeyGradients& keys_;
  const SuffixAttentionBackward& grad_;
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
  float* const walk_memory_ = room_.take(0);
};

// Two units a thread even out what the heads alone would leave uneven. Depends on nothing but heads and threads: sums
// keep their order whatever the batch.
int64_t part_count(const TileSizes& sizes) {
  return std::max<int64_t>((2 * thread_count() + sizes.kv_heads - 1) / sizes.kv_heads, 1);
}

int64_t part_floats(const TileSizes& sizes) { return sizes.kv_heads * sizes.tokens * (sizes.dim + sizes.value_dim); }

// Where each part adds the gradients of a head's prefix: part 0 into the gradients themselves, the others into memory
// of their own.
struct Parts {
  const TileSizes& sizes;
  const SuffixAttentionBackward& grad;
  int64_t count;
  float* memory;

  KeyGradients of(int64_t part, int64_t kv_head) const {
    if (part == 0) return {prefix_of(grad.d_prefix_k, kv_head), prefix_of(grad.d_prefix_v, kv_head), grad};
    float* d_k = memory + (part - 1) * part_floats(sizes) + kv_head * sizes.tokens * (sizes.dim + sizes.value_dim);
    float* d_v = d_k + sizes.tokens * sizes.dim;
    return {{d_k, sizes.tokens, sizes.dim, sizes.dim}, {d_v, sizes.tokens, sizes.value_dim, sizes.value_dim}, grad};
  }
};

void run_unit(const Pass& pass, const Parts& parts, const LaneTiles& list, int64_t part, int64_t kv_head,
              float* memory) {
  const KeyGradients keys = parts.of(part, kv_head);
  if (part > 0 && pass.keys) fill_zero(keys.d_prefix_k), fill_zero(keys.d_prefix_v);
  for (int64_t i = 0; i < list.count; ++i)
    if (list.tiles[i].index % parts.count == part)
      BackwardTile({pass.walk.problem(), parts.sizes, list.tiles[i], kv_head}, keys, memory).run(pass);
}

void add_row(const Matrix& from, const Matrix& to, int64_t row) {
  for (int64_t i = 0; i < to.columns; ++i) to.row(row)[i] += from.row(row)[i];
}

void add_parts(Exec& exec, const Parts& parts, int64_t used) {
  const int64_t tokens = parts.sizes.tokens;
  for_each_range(exec, parts.sizes.kv_heads * tokens, 1, used * part_floats(parts.sizes),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i)
                     for (int64_t part = 1; part < used; ++part) {
                       const KeyGradients from = parts.of(part, i / tokens), to = parts.of(0, i / tokens);
                       add_row(from.d_prefix_k, to.d_prefix_k, i % tokens);
                       add_row(from.d_prefix_v, to.d_prefix_v, i % tokens);
                     }
                 });
}

int64_t thread_floats(const KeyWalk& walk) { return BackwardTile::floats(walk.sizes()) + walk.floats(); }

}  // namespace

int64_t backward_bytes(const KeyWalk& walk) {
  const TileSizes& sizes = walk.sizes();
  return walk.lane_tiles_bytes() + 4 * thread_count() * thread_floats(walk) +
         4 * (part_count(sizes) - 1) * part_floats(sizes) + 3 * kScratchAlignment;
}

void backward(Exec& exec, const Pass& pass, const SuffixAttentionBackward& grad) {
  const TileSizes& sizes = pass.walk.sizes();
  const ScratchScope scope(exec.scratch);
  const LaneTiles list = pass.walk.lane_tiles(exec);
  const int64_t used = std::min(part_count(sizes), list.largest_index + 1), own = pass.keys ? used - 1 : 0;
  const Tensor part_memory = exec.scratch.take(DType::f32, {own * part_floats(sizes)});
  const Parts parts = {sizes, grad, part_count(sizes), part_memory.as<float>()};
  const Tensor memory = exec.scratch.take(DType::f32, {thread_count(), thread_floats(pass.walk)});
  for_each_item(exec, sizes.kv_heads * used, least_operations(sizes, list), [&](int64_t thread, int64_t unit) {
    run_unit(pass, parts, list, unit % used, unit / used, memory[thread].as<float>());
  });
  if (own > 0) add_parts(exec, parts, used);
}

}  // namespace eyrie::tiles
