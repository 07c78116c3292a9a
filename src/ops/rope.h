// ops/rope.h: rotary position embedding, rotate-half form, f32 tables (docs/math.md, "RoPE").
//   pair (x_i, x_{i+D/2}) at position p turns by the angle p · frequency_i; cos and sin carry the attention factor.
#pragma once
#include <vector>

#include "tensor/exec.h"

namespace eyrie {

struct RopeTable {
  Buffer cos, sin;  // [positions, dim/2] f32
};
// frequencies: dim/2 values (the model room computes them from its config); scale multiplies cos and sin.
RopeTable make_rope_table(const std::vector<double>& frequencies, double scale, int64_t positions);

enum class Turn { forward, backward };  // backward: the transpose, for gradients
// x [rows, heads, dim] f32 in place (last dimension contiguous); positions [rows] i32, each < table rows or
// Error{input}.
void apply_rope(Exec&, const RopeTable&, ConstTensor positions, Tensor x, Turn turn);

}  // namespace eyrie
