// ops/norm.h: RMSNorm over the last dimension. y = w * (x / sqrt(mean(x²) + eps)), statistics in f32 (docs/math.md,
// "RMSNorm"). All f32; rows of any stride.
#pragma once
#include "ops/into.h"
#include "tensor/exec.h"

namespace eyrie {

struct RmsNorm {
  ConstTensor x;       // [rows, width]
  ConstTensor weight;  // [width]
  float eps = 0;
  Tensor y;  // like x, written; may be x
};
void rms_norm(Exec&, const RmsNorm&);

struct RmsNormBackward {
  ConstTensor x, weight;  // as in forward
  float eps = 0;
  ConstTensor d_y;  // like x
  Tensor d_x;       // like x, written (it may be d_y then) or accumulated
  Into into = Into::overwrite;
  Tensor d_weight = {};  // like weight, accumulated; undefined: not wanted
};
void rms_norm_backward(Exec&, const RmsNormBackward&);

}  // namespace eyrie
