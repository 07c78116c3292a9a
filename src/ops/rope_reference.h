// ops/rope_reference.h: ops/rope in plain words. On double the oracle, on complex<double> its gradient.
#pragma once
#include <cmath>
#include <vector>

namespace eyrie {

// x [rows, heads, 2 * frequencies]; position [rows].
template <typename T>
std::vector<T> rope_reference(const std::vector<T>& x, const std::vector<int32_t>& position,
                              const std::vector<double>& frequencies, double scale) {
  const size_t half = frequencies.size(), heads = x.size() / position.size() / (2 * half);
  std::vector<T> y(x.size());
  for (size_t r = 0; r < position.size(); ++r)
    for (size_t h = 0; h < heads; ++h)
      for (size_t i = 0; i < half; ++i) {
        const size_t a = (r * heads + h) * 2 * half + i, b = a + half;
        const double angle = position[r] * frequencies[i];
        y[a] = scale * (x[a] * std::cos(angle) - x[b] * std::sin(angle));
        y[b] = scale * (x[b] * std::cos(angle) + x[a] * std::sin(angle));
      }
  return y;
}

}  // namespace eyrie
