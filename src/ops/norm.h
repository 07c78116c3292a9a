// ops/norm.h: RMSNorm over the last dimension. y = w * (x / sqrt(mean(x²) + eps)), statistics in f32 (docs/math.md,
// "RMSNorm"). x, y [rows, width] f32 (any row stride), weight [width] f32.
#pragma once
#include "ops/into.h"
#include "tensor/exec.h"

namespace eyrie {

void rms_norm(Exec&, ConstTensor x, ConstTensor weight, float eps, Tensor y);
// d_x written (it may be d_y) or accumulated; d_weight [width] f32 accumulated (undefined: not wanted).
void rms_norm_backward(Exec&, ConstTensor x, ConstTensor weight, float eps, ConstTensor d_y, Tensor d_x, Into into,
                       Tensor d_weight);

}  // namespace eyrie
