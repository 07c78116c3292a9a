// ops/rows.h: rows moved, added and summed. All f32 but the indices; rows of any stride, except where a tensor is said
// to be contiguous.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

struct GatherRows {
  ConstTensor from;   // [n, width]
  ConstTensor index;  // [rows] i32, 0..n-1 (trusted)
  Tensor to;          // [rows, width], written: to[i] = from[index[i]]
};
void gather_rows(Exec&, const GatherRows&);

struct ScatterRows {
  ConstTensor from;   // [rows, width]
  ConstTensor index;  // [rows] i32, 0..n-1 (trusted), none twice
  Tensor to;          // [n, width] contiguous, written: zeros but to[index[i]] = from[i]
};
void scatter_rows(Exec&, const ScatterRows&);

struct Add {
  ConstTensor from;  // [rows, width]
  Tensor to;         // like from, accumulated
};
void add(Exec&, const Add&);

// In f64, by blocks of 2^14 elements that are then summed in order, whatever the threads. x: any shape, contiguous.
double sum_of_squares(Exec&, ConstTensor x);

}  // namespace eyrie
