// testing/complex_step.h: the gradient of sum(d_y f(inputs)) from f itself, exact to the last digits: moving one
// element by i h moves f's imaginary part by h times its derivative, and nothing is subtracted.
#pragma once
#include <complex>
#include <vector>

namespace eyrie::testing {

using Complex = std::complex<double>;
using ComplexInputs = std::vector<std::vector<Complex>>;

inline std::vector<Complex> to_complex(const std::vector<double>& values) { return {values.begin(), values.end()}; }

// `function`: ComplexInputs -> std::vector<Complex>, analytic. The gradient by inputs[which].
template <typename Function>
std::vector<double> complex_step_gradient(const Function& function, ComplexInputs inputs, size_t which,
                                          const std::vector<double>& d_y) {
  constexpr double kStep = 1e-30;
  std::vector<double> gradient(inputs[which].size());
  for (size_t i = 0; i < gradient.size(); ++i) {
    const Complex kept = inputs[which][i];
    inputs[which][i] += Complex(0, kStep);
    const std::vector<Complex> y = function(inputs);
    inputs[which][i] = kept;
    for (size_t j = 0; j < y.size(); ++j) gradient[i] += d_y[j] * y[j].imag() / kStep;
  }
  return gradient;
}

}  // namespace eyrie::testing
