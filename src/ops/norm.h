// ops/norm.h: RMSNorm over the last dimension. y = w * (x / sqrt(mean(x²) + eps)), statistics in f32 (docs/math.md,
// "RMSNorm"). All f32, on a GPU activations also bf16, all of one dtype; rows of any stride. A row's result does not
// depend on the others, that of d_weight not on threads or on the device.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

struct RmsNorm {
  ConstTensor x;       // [rows, width]
  ConstTensor weight;  // [width] f32, on a GPU also bf16
  float eps = 0;
  Tensor y;  // like x, written; may be x
};
void rms_norm(Exec&, const RmsNorm&);
namespace cuda {
void rms_norm(Exec&, const RmsNorm&);
}

struct RmsNormBackward {
  ConstTensor x, weight;  // as in forward
  float eps = 0;
  ConstTensor d_y;         // like x
  ConstTensor added = {};  // like d_x, may be d_x; undefined: none
  Tensor d_x;              // like x, written: added + gradient; may be d_y or x
  Tensor d_weight = {};    // [width] f32, accumulated; undefined: not wanted
};
void rms_norm_backward(Exec&, const RmsNormBackward&);
namespace cuda {
void rms_norm_backward(Exec&, const RmsNormBackward&);
}

}  // namespace eyrie
