// ops/rope.h: rotary position embedding, rotate-half form, f32 tables (docs/math.md, "RoPE").
//   pair (x_i, x_{i+D/2}) at position p turns by the angle p · frequency_i; cos and sin carry the attention factor.
#pragma once
#include <memory>
#include <vector>

#include "tensor/exec.h"

namespace eyrie {

// A model may promise a million positions and see a hundred: rows are computed when they are first asked for, a block
// of them at a time, and stay. Copies share them.
class RopeTable {
 public:
  struct Row {
    const float *cos, *sin;  // [dim/2]
  };
  RopeTable() = default;  // no positions
  // frequencies: dim/2 values (the model room computes them from its config); scale multiplies cos and sin.
  RopeTable(std::vector<double> frequencies, double scale, int64_t positions);
  int64_t positions() const;
  int64_t pairs() const;                 // dim/2
  void prepare(int64_t position) const;  // computes its row unless it is there; any thread
  Row row(int64_t position) const;       // of a prepared position

 private:
  struct Blocks;
  std::shared_ptr<Blocks> blocks_;
};

enum class Turn { forward, backward };  // backward: the transpose, for gradients
struct Rope {
  const RopeTable& table;
  ConstTensor positions;  // [rows] i32, each below the table's or Error{input}
  Tensor x;               // [rows, heads, dim] f32, turned in place; rows and heads of any stride
  Turn turn = Turn::forward;
};
void apply_rope(Exec&, const Rope&);

}  // namespace eyrie
