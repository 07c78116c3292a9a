// ops/linear_gradients.h: the products of linear's backward, C (+)= A B: the leaf loops. Private to the room: linear
// checks, these trust. Each call is one thread's share. An element of C is one chain of multiply-adds over the depth,
// cut into the same blocks whatever rows are computed beside it.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace eyrie {

struct GradientProduct {
  const float* a;  // [rows, depth] by these strides, one of which is 1
  int64_t a_row_stride, a_depth_stride;
  const void* b;  // [depth, width], elements of a row side by side
  DType b_dtype;
  int64_t b_stride;
  float* c;  // [rows, width], written or added to
  int64_t c_stride;
  int64_t rows, depth, width;
  bool accumulate;
};

int64_t gradient_scratch_floats(int64_t rows);  // of a share of so many rows
void multiply_gradient(const GradientProduct& product, int64_t first_row, int64_t end_row, float* scratch);

}  // namespace eyrie
