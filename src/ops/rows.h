// ops/rows.h: rows moved, added, converted and summed. All f32 but the indices, on a GPU also bf16, of one dtype except
// where it says otherwise; rows of any stride, except where a tensor is said to be contiguous.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

struct GatherRows {
  ConstTensor from;   // [n, width]
  ConstTensor index;  // [rows] i32, 0..n-1 (trusted)
  Tensor to;          // [rows, width], written: to[i] = from[index[i]]
};
void gather_rows(Exec&, const GatherRows&);
namespace cuda {
void gather_rows(Exec&, const GatherRows&);
}

struct ScatterRows {
  ConstTensor from;   // [rows, width]
  ConstTensor index;  // [rows] i32, 0..n-1 (trusted), none twice
  Tensor to;          // [n, width] contiguous, written: zeros but to[index[i]] = from[i]
};
void scatter_rows(Exec&, const ScatterRows&);
namespace cuda {
void scatter_rows(Exec&, const ScatterRows&);
}

struct Add {
  ConstTensor from;  // [rows, width]
  Tensor to;         // like from, accumulated
};
void add(Exec&, const Add&);
namespace cuda {
void add(Exec&, const Add&);
}

struct Convert {
  ConstTensor from;  // [rows, width] f32, on a GPU also bf16
  Tensor to;         // shaped as from, of either dtype, written: rounded to nearest
};
void convert(Exec&, const Convert&);
namespace cuda {
void convert(Exec&, const Convert&);
}

// In f64, by blocks of 2^14 elements that are then summed in order, whatever the threads. x: f32 of any shape,
// contiguous. On a GPU it waits for exec's stream.
double sum_of_squares(Exec&, const ConstTensor& x);
namespace cuda {
double sum_of_squares(Exec&, const ConstTensor& x);
}

}  // namespace eyrie
