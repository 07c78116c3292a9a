// ops/linear.h: y = added + x Wᵀ + b, and its gradients.
//
// A row's result is bitwise the same whatever the other rows are, however many, and on however many threads (spec §10).
// The gradients do not depend on the threads either; a row of d_x not on the other rows.
// Of all tensors the last dimension is contiguous. On a CPU all f32 but W; on a GPU bf16 or f32, the same for all but
// what is said to be f32. Errors: Error{input} naming the argument.
#pragma once
#include <span>

#include "ops/into.h"
#include "tensor/exec.h"

namespace eyrie {

struct Linear {
  ConstTensor x;           // [rows, in]
  ConstTensor weight;      // [out, in]; on a CPU f32 | bf16 | f16
  ConstTensor bias = {};   // [out]; undefined: none
  ConstTensor added = {};  // like y, may be y; undefined: none
  Tensor y;                // [rows, out], written; on a GPU f32 too
};
void linear(Exec&, const Linear&);
// Several of one x: each y as by itself, but few rows wait for the threads only once.
void linear(Exec&, std::span<const Linear> layers);

struct LinearGated {
  Linear gate, up;  // of one x
  Tensor product;   // [rows, out], written: silu(gate.y) * up.y
};
void linear_gated(Exec&, const LinearGated&);

struct LinearBackward {
  ConstTensor d_y;                  // [rows, out]
  ConstTensor x = {}, weight = {};  // as in forward; x is read for d_weight, weight for d_x
  // [out, in], [out] f32; accumulated: d_yᵀ x and, with it, column sums; undefined: not wanted
  Tensor d_weight = {}, d_bias = {};
  Tensor d_x = {};  // [rows, in], written or accumulated: d_y W; undefined: not wanted
  Into into = Into::overwrite;
};
void linear_backward(Exec&, const LinearBackward&);

namespace cuda {
void linear(Exec&, std::span<const Linear>);
void linear_gated(Exec&, const LinearGated&);
void linear_backward(Exec&, const LinearBackward&);
}  // namespace cuda

}  // namespace eyrie
