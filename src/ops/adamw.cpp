#include "ops/adamw.h"

#include <cmath>

#include "ops/door.h"
#include "ops/parallel.h"

namespace eyrie {
namespace cpu {
namespace {

void adamw(Exec& exec, const AdamW& op) {
  float *w = op.weight.as<float>(), *m = op.first_moment.as<float>(), *v = op.second_moment.as<float>();
  const float* gradient = op.gradient.as<float>();
  const auto step = static_cast<double>(op.step);
  const auto scale = static_cast<float>(op.gradient_scale), epsilon = static_cast<float>(op.epsilon);
  const auto beta1 = static_cast<float>(op.beta1), rest1 = static_cast<float>(1 - op.beta1);
  const auto beta2 = static_cast<float>(op.beta2), rest2 = static_cast<float>(1 - op.beta2);
  const auto rate = static_cast<float>(op.learning_rate / (1 - std::pow(op.beta1, step)));
  const auto unbias = static_cast<float>(1 / std::sqrt(1 - std::pow(op.beta2, step)));
  const auto decay = static_cast<float>(op.learning_rate * op.weight_decay);
  const int64_t elements = op.weight.elements();
  for_each_range(exec, elements, 1, 16 * elements, [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      const float g = scale * gradient[i];
      m[i] = beta1 * m[i] + rest1 * g;
      v[i] = beta2 * v[i] + rest2 * g * g;
      w[i] -= rate * m[i] / (std::sqrt(v[i]) * unbias + epsilon) + decay * w[i];
    }
  });
}

}  // namespace
}  // namespace cpu

void adamw(Exec& exec, const AdamW& op) {
  expect_floats(exec, "weight", op.weight, op.weight.shape);
  for (const Tensor* one : {&op.first_moment, &op.second_moment}) expect_floats(exec, "moment", *one, op.weight.shape);
  expect_floats(exec, "gradient", op.gradient, op.weight.shape);
  if (begin_op(exec, "adamw")) cpu::adamw(exec, op);
}

}  // namespace eyrie
