// ops/row_moves.cuh: rows of a matrix copied into another, converted between f32 and bf16. Private to the room.
#pragma once
#include "tensor/exec.h"

namespace eyrie::cuda {

// to[to_row[i]] = from[from_row[i]] for `rows` of them; an index that is null is i.
struct RowMoves {
  const char* kernel;  // its name
  int64_t rows;
  ConstTensor from;
  Tensor to;
  const int32_t *from_row = nullptr, *to_row = nullptr;
};
void move_rows(Exec&, const RowMoves&);

}  // namespace eyrie::cuda
