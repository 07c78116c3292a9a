// The plain backend: a row's scores stand in one explicit array, sums are fp64. It has no tiles and no order of its own
// to get wrong, and serves as the oracle of the others (itself proven by suffix_attention_reference.h).
#include <algorithm>
#include <cmath>

#include "attention/backend.h"
#include "ops/parallel.h"

namespace eyrie::cpu {
namespace {

double dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void add(double factor, const float* from, double* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

void add(double factor, const float* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += static_cast<float>(factor * from[i]);
}

void round_to(const double* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

// The keys that a row sees are numbered: its prefix first, then its suffix.
struct Keys {
  const int32_t *token, *start, *suffix_row;
  int64_t depth;
  explicit Keys(const SuffixAttention& problem)
      : token(problem.token.as<int32_t>()),
        start(problem.start.as<int32_t>()),
        suffix_row(problem.depth() ? problem.suffix_row.as<int32_t>() : nullptr),
        depth(problem.depth()) {}
  int64_t prefix_count(int64_t row) const { return token[row] - start[row] + 1; }
  int64_t count(int64_t row) const { return prefix_count(row) + depth; }
};

// k, v, or a gradient of either, by the number of the key.
template <typename T>
struct Numbered {
  const Keys& keys;
  View<T, 3> prefix;
  View<T, 4> suffix = {};
  template <typename AnyTensor>
  Numbered(const Keys& keys_, const AnyTensor& prefix_, const AnyTensor& suffix_)
      : keys(keys_), prefix(prefix_.template view<T, 3>()) {
    if (keys.depth) suffix = suffix_.template view<T, 4>();
  }
  T* operator()(int64_t row, int64_t kv_head, int64_t key) const {
    const int64_t beyond = key - keys.prefix_count(row);
    return beyond < 0 ? prefix.row(keys.start[row] + key, kv_head) : suffix.row(beyond, keys.suffix_row[row], kv_head);
  }
};

// Takes room for every thread's scores [tokens + depth] or sums [count].
Tensor take_per_thread(Exec& exec, int64_t bytes) { return exec.scratch.take(DType::u8, {thread_count(), bytes}); }

int64_t forward_bytes(const AttentionSizes& sizes) { return 8 * (sizes.tokens + sizes.depth + sizes.value_dim); }

double* doubles(const Tensor& room) { return reinterpret_cast<double*>(room.data); }

int64_t multiply_adds(const AttentionSizes& sizes) { return sizes.rows * sizes.q_heads * sizes.tokens * sizes.dim; }

std::string why_not(const SuffixAttention&, Arguments) { return ""; }

int64_t scratch_bytes(const SuffixAttention& problem) {
  const AttentionSizes sizes(problem);
  return thread_count() * std::max(forward_bytes(sizes), 8 * sizes.dim);
}

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const AttentionSizes sizes(problem);
  const Keys keys(problem);
  const Numbered<const float> k(keys, problem.prefix_k, problem.suffix_k), v(keys, problem.prefix_v, problem.suffix_v);
  const auto q = problem.q.view<float, 3>();
  const auto out = o.view<float, 3>();
  const auto out_lse = lse.view<float, 2>();
  const ScratchScope scope(exec.scratch);
  const Tensor room = take_per_thread(exec, forward_bytes(sizes));
  for_each_item(exec, sizes.rows * sizes.q_heads, multiply_adds(sizes), [&](int64_t thread, int64_t item) {
    const int64_t row = item / sizes.q_heads, head = item % sizes.q_heads;
    const int64_t kv_head = head / sizes.group, count = keys.count(row);
    double *sum_v = doubles(room[thread]), *score = sum_v + sizes.value_dim, highest = -INFINITY, sum = 0;
    for (int64_t key = 0; key < count; ++key) {
      score[key] = problem.scale * dot(q.row(row, head), k(row, kv_head, key), sizes.dim);
      highest = std::max(highest, score[key]);
    }
    for (int64_t key = 0; key < count; ++key) sum += std::exp(score[key] - highest);
    const double merged = highest + std::log(sum);
    std::fill_n(sum_v, sizes.value_dim, 0.0);
    for (int64_t key = 0; key < count; ++key)
      add(std::exp(score[key] - merged), v(row, kv_head, key), sum_v, sizes.value_dim);
    round_to(sum_v, out.row(row, head), sizes.value_dim);
    out_lse(row, head) = static_cast<float>(merged);
  });
}

// A thread owns whole key-value heads: its sums have one order, and no two threads add into one place.
void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const AttentionSizes sizes(problem);
  const Keys keys(problem);
  const Numbered<const float> k(keys, problem.prefix_k, problem.suffix_k), v(keys, problem.prefix_v, problem.suffix_v);
  const Numbered<float> d_k(keys, grad.d_prefix_k, grad.d_suffix_k), d_v(keys, grad.d_prefix_v, grad.d_suffix_v);
  const auto q = problem.q.view<float, 3>(), o = grad.o.view<float, 3>(), d_o = grad.d_o.view<float, 3>();
  const auto d_q = grad.d_q.view<float, 3>();
  const auto lse = grad.lse.view<float, 2>();
  const ScratchScope scope(exec.scratch);
  const Tensor room = take_per_thread(exec, 8 * sizes.dim);
  for_each_item(exec, sizes.kv_heads, 4 * multiply_adds(sizes), [&](int64_t thread, int64_t kv_head) {
    double* sum_q = doubles(room[thread]);
    for (int64_t row = 0; row < sizes.rows; ++row)
      for (int64_t head = kv_head * sizes.group; head < (kv_head + 1) * sizes.group; ++head) {
        std::fill_n(sum_q, sizes.dim, 0.0);
        const double delta = dot(d_o.row(row, head), o.row(row, head), sizes.value_dim);
        for (int64_t key = 0; key < keys.count(row); ++key) {
          const double score = problem.scale * dot(q.row(row, head), k(row, kv_head, key), sizes.dim);
          const double p = std::exp(score - lse(row, head));
          const double d_p = dot(d_o.row(row, head), v(row, kv_head, key), sizes.value_dim);
          const double d_score = problem.scale * p * (d_p - delta);
          add(d_score, k(row, kv_head, key), sum_q, sizes.dim);
          add(d_score, q.row(row, head), d_k(row, kv_head, key), sizes.dim);
          add(p, d_o.row(row, head), d_v(row, kv_head, key), sizes.value_dim);
        }
        round_to(sum_q, d_q.row(row, head), sizes.dim);
      }
  });
}

}  // namespace

const Implementation kDense = {"cpu", Device::cpu, why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::cpu
