// ops/linear.h: y = added + x Wᵀ + b. x [rows, in] f32, W [out, in] f32 | bf16 | f16, b [out] f32, added and y
// [rows, out] f32; b and added may be undefined, added may be y.
//
// A row's result is bitwise the same whatever the other rows are, however many, and on however many threads (spec §10).
// The gradients do not depend on the threads either; a row of d_x not on the other rows.
// All tensors: last dimension contiguous. Errors: Error{input} naming the argument.
#pragma once
#include <span>

#include "ops/into.h"
#include "tensor/exec.h"

namespace eyrie {

struct LinearLayer {
  ConstTensor weight, bias = {};
  Tensor y;  // written
  ConstTensor added = {};
};
void linear(Exec&, ConstTensor x, const LinearLayer& layer);
// Several layers of one x: each y as by itself, but few rows wait for the threads only once.
void linear(Exec&, ConstTensor x, std::span<const LinearLayer> layers);
// gate and up, and product [rows, out] = silu(gate.y) * up.y written.
void linear_gated(Exec&, ConstTensor x, const LinearLayer& gate, const LinearLayer& up, Tensor product);

// d_x [rows, in] = d_y W.
void linear_backward_input(Exec&, ConstTensor d_y, ConstTensor weight, Tensor d_x, Into into);
// d_weight [out, in] f32 += d_yᵀ x; d_bias [out] f32 += column sums of d_y when defined.
void linear_backward_weight(Exec&, ConstTensor d_y, ConstTensor x, Tensor d_weight, Tensor d_bias);

}  // namespace eyrie
