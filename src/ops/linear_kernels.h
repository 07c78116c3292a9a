// ops/linear_kernels.h: the leaf loops of ops/linear. Private to the room: ops/linear checks, these trust.
#pragma once
#include "tensor/tensor.h"

namespace eyrie {

// y = x Wᵀ + bias (added to y when accumulate) for 1..kGemvRows rows; W is read once, as it is stored.
struct FewRows {
  ConstTensor x, weight, bias;
  Tensor y;
  bool accumulate;
};
void multiply_few_rows(const FewRows& problem);

void widen(const ConstTensor& from, const Tensor& to);  // f32 = bf16 | f16, both [rows, width]

void add_column_sums(const View<const float, 2>& from, float* sums);

}  // namespace eyrie
