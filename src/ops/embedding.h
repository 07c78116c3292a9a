// ops/embedding.h: y[r] = table[ids[r]]. table [V, H] f32 | bf16 | f16, ids [rows] i32, y [rows, H] f32 (any row
// stride). Errors: Error{input} for an id outside 0..V-1, with the row and the id.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

void embed(Exec&, ConstTensor table, ConstTensor ids, Tensor y);

}  // namespace eyrie
