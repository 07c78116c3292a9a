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
  int64_t pairs() const;  // dim/2
  const std::vector<double>& frequencies() const;
  double scale() const;
  void prepare(int64_t position) const;  // computes its row unless it is there; any thread
  Row row(int64_t position) const;       // of a prepared position

 private:
  struct Blocks;
  std::shared_ptr<Blocks> blocks_;
};

enum class Turn { forward, backward };  // backward: the transpose, for gradients
struct Rope {
  const RopeTable& table;
  ConstTensor positions;  // [rows] i32, each below the table's or Error{input}; trusted on a GPU
  ConstTensor x;          // [rows, heads, dim] f32, on a GPU also bf16; rows and heads of any stride
  Tensor y;               // like x, written; may be x; on a GPU of either dtype
  Turn turn = Turn::forward;
};
void apply_rope(Exec&, const Rope&);  // on a GPU at most 128 pairs or Error{input}
namespace cuda {
void apply_rope(Exec&, const Rope&);
}

}  // namespace eyrie
