// ops/linear_reference.h: ops/linear in plain words. On double the oracle, on complex<double> its gradient.
#pragma once
#include <vector>

namespace eyrie {

// x [rows, in], weight [out, in], bias [out] or empty; y [rows, out].
template <typename T>
std::vector<T> linear_reference(const std::vector<T>& x, const std::vector<T>& weight, const std::vector<T>& bias,
                                size_t rows) {
  const size_t in = x.size() / rows, out = weight.size() / in;
  std::vector<T> y(rows * out);
  for (size_t r = 0; r < rows; ++r)
    for (size_t o = 0; o < out; ++o) {
      if (!bias.empty()) y[r * out + o] = bias[o];
      for (size_t i = 0; i < in; ++i) y[r * out + o] += x[r * in + i] * weight[o * in + i];
    }
  return y;
}

}  // namespace eyrie
