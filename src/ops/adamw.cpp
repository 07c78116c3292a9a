#include "ops/adamw.h"

#include <cmath>

#include "ops/adamw_factors.h"
#include "ops/door.h"
#include "ops/parallel.h"

namespace eyrie {
namespace cpu {
namespace {

void adamw(Exec& exec, const AdamW& op) {
  float *w = op.weight.as<float>(), *m = op.first_moment.as<float>(), *v = op.second_moment.as<float>();
  const float* gradient = op.gradient.as<float>();
  const auto [scale, epsilon, beta1, rest1, beta2, rest2, rate, unbias, decay] = adamw_factors(op);
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
  expect_f32(exec, "weight", op.weight, op.weight.shape);
  for (const Tensor* one : {&op.first_moment, &op.second_moment}) expect_f32(exec, "moment", *one, op.weight.shape);
  expect_f32(exec, "gradient", op.gradient, op.weight.shape);
  if (op.working.defined()) {
    expect_tensor(exec, "working", op.working, {DType::bf16}, op.weight.shape);
    if (exec.device == Device::cpu) throw Error(ErrorKind::input, "working", "expected none on a CPU, found one");
  }
  run_twin<cpu::adamw, cuda::adamw>(exec, op);
}

}  // namespace eyrie
