#include "ops/linear_kernels.h"

namespace eyrie {
namespace {

template <typename W>
void multiply_rows(const FewRows& problem) {
  const auto x = problem.x.view<const float, 2>();
  const auto w = problem.weight.view<const W, 2>();
  const auto y = problem.y.view<float, 2>();
#pragma omp parallel for
  for (int64_t o = 0; o < w.dims[0]; ++o) {
    const float start = problem.bias.defined() ? problem.bias.as<float>()[o] : 0.0f;
    for (int64_t r = 0; r < x.dims[0]; ++r) {
      float sum = 0;
      for (int64_t i = 0; i < w.dims[1]; ++i) sum += x(r, i) * to_float(w(o, i));
      y(r, o) = (problem.accumulate ? y(r, o) : 0.0f) + start + sum;
    }
  }
}

template <typename W>
void widen_rows(const ConstTensor& from, const Tensor& to) {
  const auto narrow = from.view<const W, 2>();
  const auto wide = to.view<float, 2>();
#pragma omp parallel for
  for (int64_t r = 0; r < narrow.dims[0]; ++r)
    for (int64_t c = 0; c < narrow.dims[1]; ++c) wide(r, c) = to_float(narrow(r, c));
}

}  // namespace

void multiply_few_rows(const FewRows& problem) {
  if (problem.weight.dtype == DType::f32) return multiply_rows<float>(problem);
  if (problem.weight.dtype == DType::bf16) return multiply_rows<bf16>(problem);
  multiply_rows<f16>(problem);
}

void widen(const ConstTensor& from, const Tensor& to) {
  from.dtype == DType::bf16 ? widen_rows<bf16>(from, to) : widen_rows<f16>(from, to);
}

void add_column_sums(const View<const float, 2>& from, float* sums) {
#pragma omp parallel for
  for (int64_t c = 0; c < from.dims[1]; ++c)
    for (int64_t r = 0; r < from.dims[0]; ++r) sums[c] += from(r, c);
}

}  // namespace eyrie
