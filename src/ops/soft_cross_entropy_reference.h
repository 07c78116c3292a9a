// ops/soft_cross_entropy_reference.h: soft_cross_entropy.h as one plain template: on double the oracle, on
// complex<double> the gradient by complex step.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <vector>

#include "ops/soft_cross_entropy.h"

namespace eyrie {

template <typename T>
struct SoftCrossEntropyReference {
  int64_t rows, depths, width, target_width;
  std::vector<double> hidden, target_lm_head;  // [P, Ht], [V, Ht]
  std::vector<int32_t> target_ids;             // [Vd]
  std::vector<T> normed, lm_head;              // [R, K, H], [Vd, H]
  std::vector<int32_t> position;               // [R, K]
  std::vector<double> scale;                   // [K]

  struct Row {
    T loss = 0;
    double accept = 0;
    RowOutcome outcome = RowOutcome::unsupervised;
  };

  Row row(int64_t row_index, int64_t depth) const {
    const int64_t place = row_index * depths + depth, j = position[at(place)];
    if (j < 0) return {};
    const std::vector<double> y = product(target_lm_head, &hidden[at(j * target_width)], target_width);
    const std::vector<T> z = product(lm_head, &normed[at(place * width)], width);
    const int64_t best = argmax(y), choice = argmax(z);
    const double all = log_sum_exp(y);
    Row result;
    result.accept = std::exp(y[at(target_ids[at(choice)])] - all);
    if (!std::binary_search(target_ids.begin(), target_ids.end(), best)) {
      result.outcome = RowOutcome::out_of_vocabulary;
      return result;
    }
    result.outcome = target_ids[at(choice)] == best ? RowOutcome::right : RowOutcome::wrong;
    std::vector<double> kept;
    for (const int32_t id : target_ids) kept.push_back(y[at(id)]);
    const double kept_all = log_sum_exp(kept);
    const T z_all = log_sum_exp(z);
    for (size_t v = 0; v < kept.size(); ++v) result.loss -= std::exp(kept[v] - kept_all) * (z[v] - z_all);
    return result;
  }

  T total() const {
    T sum = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < depths; ++k) sum += scale[at(k)] * row(r, k).loss;
    return sum;
  }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }

  template <typename U>
  static std::vector<U> product(const std::vector<U>& matrix, const U* x, int64_t columns) {
    std::vector<U> y(matrix.size() / at(columns), U(0));
    for (size_t i = 0; i < y.size(); ++i)
      for (size_t c = 0; c < at(columns); ++c) y[i] += matrix[i * at(columns) + c] * x[c];
    return y;
  }

  template <typename U>
  static int64_t argmax(const std::vector<U>& x) {
    size_t best = 0;
    for (size_t i = 1; i < x.size(); ++i)
      if (std::real(x[i]) > std::real(x[best])) best = i;
    return static_cast<int64_t>(best);
  }

  template <typename U>
  static U log_sum_exp(const std::vector<U>& x) {
    const double top = std::real(x[at(argmax(x))]);
    U sum = 0;
    for (const U& one : x) sum += std::exp(one - top);
    return top + std::log(sum);
  }
};

}  // namespace eyrie
