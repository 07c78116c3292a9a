// ops/activation.h: silu(g) * u with silu(g) = g / (1 + exp(-g)). All [rows, width] f32.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

void silu_multiply(Exec&, ConstTensor gate, ConstTensor up, Tensor product);
// d_gate, d_up written; either may be d_product's own memory.
void silu_multiply_backward(Exec&, ConstTensor gate, ConstTensor up, ConstTensor d_product, Tensor d_gate, Tensor d_up);

}  // namespace eyrie
