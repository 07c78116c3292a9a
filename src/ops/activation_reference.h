// ops/activation_reference.h: ops/activation in plain words. On double the oracle, on complex<double> its gradient.
#pragma once
#include <cmath>
#include <complex>
#include <vector>

namespace eyrie {

template <typename T>
std::vector<T> silu_multiply_reference(const std::vector<T>& gate, const std::vector<T>& up) {
  using std::exp;
  std::vector<T> product(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) product[i] = gate[i] / (1.0 + exp(-gate[i])) * up[i];
  return product;
}

}  // namespace eyrie
