// ops/linear.h: y = x Wᵀ + b. x [rows, in] f32, W [out, in] f32 | bf16 | f16, b [out] f32 or undefined, y [rows, out]
// f32.
//
// Up to kGemvRows rows go through one kernel that reads W as it is stored: a row's result is bitwise the same whatever
// the other rows are and however many (spec §10). More rows: W is widened by panels and multiplied by OpenBLAS.
// All tensors: last dimension contiguous. Errors: Error{input} naming the argument.
#pragma once
#include "ops/into.h"
#include "tensor/exec.h"

namespace eyrie {

inline constexpr int64_t kGemvRows = 16;

void linear(Exec&, ConstTensor x, ConstTensor weight, ConstTensor bias, Tensor y, Into into = Into::overwrite);
// d_x [rows, in] = d_y W.
void linear_backward_input(Exec&, ConstTensor d_y, ConstTensor weight, Tensor d_x, Into into);
// d_weight [out, in] f32 += d_yᵀ x; d_bias [out] f32 += column sums of d_y when defined.
void linear_backward_weight(Exec&, ConstTensor d_y, ConstTensor x, Tensor d_weight, Tensor d_bias);

}  // namespace eyrie
