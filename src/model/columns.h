// model/columns.h: views of matrices whose columns are several things side by side.
#pragma once
#include "tensor/tensor.h"

namespace eyrie {

// Columns [begin, end) with the matrix's rows.
template <typename Matrix>
Matrix columns(const Matrix& matrix, int64_t begin, int64_t end) {
  Matrix part = matrix;
  part.data = static_cast<typename Matrix::Byte*>(matrix.data) + begin * size_bytes(matrix.dtype);
  part.shape.dims[1] = end - begin;
  return part;
}

// [rows, heads, dim] as [rows, heads * dim].
template <typename Heads>
Heads flat(const Heads& heads) {
  return heads.reshape({heads.dim(0), heads.dim(1) * heads.dim(2)});
}

}  // namespace eyrie
