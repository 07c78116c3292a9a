// ops/norm_reference.h: ops/norm in plain words. On double the oracle, on complex<double> its gradient.
#pragma once
#include <cmath>
#include <complex>
#include <vector>

namespace eyrie {

// x [rows, width], weight [width]; y [rows, width].
template <typename T>
std::vector<T> rms_norm_reference(const std::vector<T>& x, const std::vector<T>& weight, double eps) {
  using std::sqrt;
  const size_t width = weight.size(), rows = x.size() / width;
  std::vector<T> y(x.size());
  for (size_t r = 0; r < rows; ++r) {
    T squares = 0;
    for (size_t i = 0; i < width; ++i) squares += x[r * width + i] * x[r * width + i];
    const T rms = sqrt(squares / static_cast<double>(width) + eps);
    for (size_t i = 0; i < width; ++i) y[r * width + i] = weight[i] * (x[r * width + i] / rms);
  }
  return y;
}

}  // namespace eyrie
