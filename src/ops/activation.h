// ops/activation.h: silu(g) * u with silu(g) = g / (1 + exp(-g)). All [rows, width] of one dtype, f32 or on a
// GPU bf16; rows of any stride.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

struct SiluMultiply {
  ConstTensor gate, up;
  Tensor product;  // written
};
void silu_multiply(Exec&, const SiluMultiply&);
namespace cuda {
void silu_multiply(Exec&, const SiluMultiply&);
}

struct SiluMultiplyBackward {
  ConstTensor gate, up;  // as in forward
  ConstTensor d_product;
  Tensor d_gate, d_up;  // written; either may be d_product's own memory, d_gate that of gate, d_up that of up
};
void silu_multiply_backward(Exec&, const SiluMultiplyBackward&);
namespace cuda {
void silu_multiply_backward(Exec&, const SiluMultiplyBackward&);
}

}  // namespace eyrie
