// attention/suffix_attention_reference.h: suffix_attention.h as one plain template. On double it is the oracle; on
// complex<double> it differentiates itself: f(x + ih) = f(x) + ih f'(x) + O(h^2), without a difference to cancel.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <vector>

namespace eyrie {

template <typename T>
struct SuffixAttentionReference {
  int64_t q_heads, kv_heads, dim, value_dim, depth, suffix_rows;
  double scale;
  std::vector<int32_t> token, start, suffix_row;
  std::vector<T> q, prefix_k, prefix_v, suffix_k, suffix_v;  // contiguous, shapes as in SuffixAttention
  std::vector<T> o, lse;                                     // written

  void forward() {
    const int64_t rows = static_cast<int64_t>(token.size());
    o.assign(static_cast<size_t>(rows * q_heads * value_dim), T(0));
    lse.assign(static_cast<size_t>(rows * q_heads), T(0));
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t head = 0; head < q_heads; ++head) forward_row(row, head);
  }

 private:
  void forward_row(int64_t row, int64_t head) {
    const int64_t first = start[row], prefix_count = token[row] - first + 1, kv_head = head / (q_heads / kv_heads);
    const auto key_place = [&](int64_t key) {  // as if every key of the row stood in [place, kv_heads]
      if (key < prefix_count) return (first + key) * kv_heads + kv_head;
      return ((key - prefix_count) * suffix_rows + suffix_row[row]) * kv_heads + kv_head;
    };
    std::vector<T> score(static_cast<size_t>(prefix_count + depth));
    double highest = -INFINITY;
    for (int64_t key = 0; key < prefix_count + depth; ++key) {
      const T* k = (key < prefix_count ? prefix_k : suffix_k).data() + key_place(key) * dim;
      T sum(0);
      for (int64_t i = 0; i < dim; ++i) sum += q[(row * q_heads + head) * dim + i] * k[i];
      score[key] = scale * sum;
      highest = std::max(highest, std::real(score[key]));
    }
    T weights(0);
    for (T& each : score) weights += each = std::exp(each - highest);
    lse[row * q_heads + head] = highest + std::log(weights);
    T* out = o.data() + (row * q_heads + head) * value_dim;
    for (int64_t key = 0; key < prefix_count + depth; ++key) {
      const T* v = (key < prefix_count ? prefix_v : suffix_v).data() + key_place(key) * value_dim;
      for (int64_t i = 0; i < value_dim; ++i) out[i] += score[key] / weights * v[i];
    }
  }
};

}  // namespace eyrie
