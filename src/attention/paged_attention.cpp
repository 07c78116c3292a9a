#include "attention/paged_attention.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <numbers>

#include "attention/checks.h"
#include "attention/cpu/attend_block.h"
#include "ops/parallel.h"

namespace eyrie {
namespace {

using paged::kBlockKeys;

constexpr int64_t kRunRows = 16;  // rows of one sequence that share a walk over its keys

int64_t padded(int64_t width) { return (width + paged::kWidth - 1) / paged::kWidth * paged::kWidth; }

void check_cache(const PagedCache& cache) {
  expect_rows("cache.k", cache.k, {-1, -1, -1, -1});
  expect_rows("cache.v", cache.v, {cache.k.dim(0), cache.k.dim(1), cache.k.dim(2), -1});
}

void check(const PagedAttention& problem, const Tensor& o) {
  check_cache(problem.cache);
  const Tensor &k = problem.cache.k, &v = problem.cache.v;
  expect_rows("q", problem.q, {-1, -1, k.dim(3)});
  expect_heads(problem.q.dim(1), k.dim(2));
  expect_dtype("page_table", problem.page_table, {DType::i32});
  expect_shape("page_table", problem.page_table, {-1, -1});
  expect_indices("row_sequence", problem.row_sequence, problem.q.dim(0));
  expect_indices("row_position", problem.row_position, problem.q.dim(0));
  expect_rows("o", o, {problem.q.dim(0), problem.q.dim(1), v.dim(3)});
}

// Rows [first, first + rows) of one sequence (or rows that see nothing).
struct Run {
  int64_t first, rows;
};

// The widths of a problem and the sums of one run and key-value head: a lane per row and query head of the group.
struct Work {
  const PagedAttention& problem;
  const int32_t *sequence = problem.row_sequence.as<int32_t>(), *position = problem.row_position.as<int32_t>();
  int64_t dim = problem.q.dim(2), value_dim = problem.cache.v.dim(3);
  int64_t wide = padded(dim), value_wide = padded(value_dim);
  int64_t kv_heads = problem.cache.k.dim(2), group = problem.q.dim(1) / kv_heads;
  // Floats of one thread: q, o, highest and sum of every lane; a block of keys and values when they must be padded.
  int64_t lanes = kRunRows * group;
  int64_t copied_k = wide == dim ? 0 : kBlockKeys * wide,
          copied_v = value_wide == value_dim ? 0 : kBlockKeys * value_wide;
  int64_t floats() const { return padded(lanes * (wide + value_wide + 2) + copied_k + copied_v); }

  Run next_run(int64_t first) const {
    int64_t end = first + 1;
    while (end < problem.q.dim(0) && end - first < kRunRows && sequence[end] == sequence[first]) ++end;
    return {first, end - first};
  }
};

class RunOfHead {
 public:
  RunOfHead(const Work& work, Run run, int64_t kv_head, float* memory)
      : work_(work),
        run_(run),
        kv_head_(kv_head),
        q_(memory),
        o_(q_ + work.lanes * work.wide),
        highest_(o_ + work.lanes * work.value_wide),
        sum_(highest_ + work.lanes),
        copied_k_(sum_ + work.lanes),
        copied_v_(copied_k_ + work.copied_k) {}

  void attend(const Tensor& o) {
    start();
    int64_t end = 0;  // one past the last position that a row sees
    for (int64_t row = 0; row < run_.rows; ++row) end = std::max<int64_t>(end, position(row) + 1);
    for (int64_t key = 0; key < end; key += kBlockKeys) attend_block(key, std::min(end - key, kBlockKeys));
    finish(o);
  }

 private:
  int64_t position(int64_t row) const { return work_.position[run_.first + row]; }

  // q times scale and log2(e), so that weights are powers of two; no key seen yet.
  void start() {
    const auto q = work_.problem.q.view<float, 3>();
    const float factor = work_.problem.scale * std::numbers::log2e_v<float>;
    const int64_t lanes = run_.rows * work_.group;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float* from = q.row(run_.first + lane / work_.group, kv_head_ * work_.group + lane % work_.group);
      float* to = q_ + lane * work_.wide;
      for (int64_t i = 0; i < work_.dim; ++i) to[i] = from[i] * factor;
      std::fill(to + work_.dim, to + work_.wide, 0.0f);
    }
    std::fill_n(o_, lanes * work_.value_wide, 0.0f);
    std::fill_n(highest_, lanes, std::numeric_limits<float>::lowest());
    std::fill_n(sum_, lanes, 0.0f);
  }

  // The rows of the run that see equally many keys of the block share one walk over them.
  void attend_block(int64_t first_key, int64_t keys) {
    const float *k[kBlockKeys], *v[kBlockKeys];
    find_keys(first_key, keys, k, v);
    const auto seen = [&](int64_t row) { return std::clamp<int64_t>(position(row) + 1 - first_key, 0, keys); };
    for (int64_t row = 0, end = 0; row < run_.rows; row = end) {
      for (end = row + 1; end < run_.rows && seen(end) == seen(row);) ++end;
      if (seen(row) == 0) continue;
      const int64_t lane = row * work_.group;
      paged::attend_block({.k = k,
                           .v = v,
                           .keys = seen(row),
                           .lanes = (end - row) * work_.group,
                           .dim = work_.wide,
                           .value_dim = work_.value_wide,
                           .q = q_ + lane * work_.wide,
                           .o = o_ + lane * work_.value_wide,
                           .highest = highest_ + lane,
                           .sum = sum_ + lane});
    }
  }

  void find_keys(int64_t first_key, int64_t keys, const float** k, const float** v) {
    const auto table = work_.problem.page_table.view<int32_t, 2>();
    const auto k_pages = work_.problem.cache.k.view<float, 4>(), v_pages = work_.problem.cache.v.view<float, 4>();
    const int32_t* pages = table.row(work_.sequence[run_.first]);
    const int64_t page_size = work_.problem.cache.page_size();
    int64_t page = first_key / page_size, slot = first_key % page_size;
    for (int64_t key = 0; key < keys; ++page, slot = 0) {
      const float *next_k = k_pages.row(pages[page], slot, kv_head_),
                  *next_v = v_pages.row(pages[page], slot, kv_head_);
      const int64_t end = std::min(keys, key + page_size - slot);
      for (; key < end; ++key, next_k += k_pages.strides[1], next_v += v_pages.strides[1])
        k[key] = next_k, v[key] = next_v;
    }
    if (work_.copied_k) copy_padded(k, keys, work_.dim, work_.wide, copied_k_);
    if (work_.copied_v) copy_padded(v, keys, work_.value_dim, work_.value_wide, copied_v_);
  }

  static void copy_padded(const float** rows, int64_t count, int64_t width, int64_t wide, float* to) {
    for (int64_t i = 0; i < count; ++i, to += wide) {
      std::fill(std::copy_n(rows[i], width, to), to + wide, 0.0f);
      rows[i] = to;
    }
  }

  void finish(const Tensor& o) {
    const auto out = o.view<float, 3>();
    for (int64_t lane = 0; lane < run_.rows * work_.group; ++lane) {
      float* to = out.row(run_.first + lane / work_.group, kv_head_ * work_.group + lane % work_.group);
      const float* from = o_ + lane * work_.value_wide;
      const float share = position(lane / work_.group) < 0 ? 0.0f : 1.0f / sum_[lane];
      for (int64_t i = 0; i < work_.value_dim; ++i) to[i] = from[i] * share;
    }
  }

  const Work& work_;
  const Run run_;
  const int64_t kv_head_;
  float *const q_, *const o_, *const highest_, *const sum_, *const copied_k_, *const copied_v_;
};

int64_t multiply_adds(const Work& work) {
  int64_t keys = 0;
  for (int64_t row = 0; row < work.problem.q.dim(0); ++row) keys += work.position[row] + 1;
  return keys * work.problem.q.dim(1) * (work.dim + work.value_dim);
}

}  // namespace

void append(Exec&, const PagedCache& cache, const ConstTensor& k, const ConstTensor& v, const ConstTensor& slot) {
  check_cache(cache);
  expect_rows("k", k, {-1, cache.k.dim(2), cache.k.dim(3)});
  expect_rows("v", v, {k.dim(0), cache.v.dim(2), cache.v.dim(3)});
  const int32_t* slots = expect_indices("slot", slot, k.dim(0));
  const int64_t page_size = cache.page_size(), limit = cache.pages() * page_size;
  for (int64_t row = 0; row < k.dim(0); ++row)
    if (slots[row] < -1 || slots[row] >= limit)
      expect(false, "slot", fmt::format("row {}: expected a slot below {}, found {}", row, limit, slots[row]));
  const auto k_pages = cache.k.view<float, 4>(), v_pages = cache.v.view<float, 4>();
  const auto from_k = k.view<float, 3>(), from_v = v.view<float, 3>();
  for (int64_t row = 0; row < k.dim(0); ++row) {
    if (slots[row] < 0) continue;
    const int64_t page = slots[row] / page_size, place = slots[row] % page_size;
    for (int64_t head = 0; head < k.dim(1); ++head) {
      std::copy_n(from_k.row(row, head), k.dim(2), k_pages.row(page, place, head));
      std::copy_n(from_v.row(row, head), v.dim(2), v_pages.row(page, place, head));
    }
  }
}

void paged_attention(Exec& exec, const PagedAttention& problem, const Tensor& o) {
  check(problem, o);
  const Work work{problem};
  const int64_t rows = problem.q.dim(0);
  if (rows == 0) return;
  const ScratchScope scope(exec.scratch);
  Run* runs = reinterpret_cast<Run*>(exec.scratch.take(DType::i64, {rows, 2}).as<int64_t>());
  int64_t run_count = 0;
  for (int64_t row = 0; row < rows; row += runs[run_count++].rows) runs[run_count] = work.next_run(row);
  const Tensor memory = exec.scratch.take(DType::f32, {thread_count(), work.floats()});
  // In turn: later runs of a prefill see more keys.
  for_each_thread(exec, multiply_adds(work), [&](int64_t thread, int64_t threads) {
    for (int64_t i = thread; i < run_count * work.kv_heads; i += threads)
      RunOfHead(work, runs[i / work.kv_heads], i % work.kv_heads, memory[thread].as<float>()).attend(o);
  });
}

}  // namespace eyrie
