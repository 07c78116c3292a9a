// ops/linear_few_rows.h: the leaf loop of ops/linear for few rows, which reads W as it lies there. Private to the room:
// linear checks, this trusts. Each call is one thread's share.
#pragma once
#include "ops/linear_output.h"
#include "tensor/dtype.h"

namespace eyrie {

// y = (added +) x Wᵀ (+ bias) for a few rows. Each y(r, o) is one chain of multiply-adds over `in`, cut into the same
// lanes and summed by the same tree whatever the rows and outputs computed beside it: a row's bits do not depend on
// them.
struct FewRows {
  const float* packed;  // the rows of x as pack_row left them, aligned like scratch
  const void* weight;   // [out, in]
  DType dtype;
  int64_t in, out, weight_stride, packed_stride;
  LinearOutput to;
  int rows;
  const void* next;  // weights that this thread reads afterwards; null: not known

  const void* weight_row(int64_t output) const {
    return static_cast<const char*>(weight) + output * weight_stride * size_bytes(dtype);
  }
};
// Copies a row into the order in which multiply_few_rows meets the elements of W, with zeros behind its end.
void pack_row(const float* x, int64_t in, DType weight_dtype, float* packed);
void multiply_few_rows(const FewRows& problem, int64_t first_output, int64_t end_output);

}  // namespace eyrie
