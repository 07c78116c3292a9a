// ops/embedding.h: rows of a table by their ids.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

struct Embed {
  ConstTensor table;  // [V, H] f32 | bf16, on the CPU also f16
  ConstTensor ids;    // [rows] i32, 0..V-1 or Error{input} with the row and the id; trusted on a GPU
  Tensor y;           // [rows, H] f32, on a GPU also bf16 (any row stride), written: y[r] = table[ids[r]]
};
void embed(Exec&, const Embed&);
namespace cuda {
void embed(Exec&, const Embed&);
}

}  // namespace eyrie
