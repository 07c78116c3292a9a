// model/columns.h: columns [begin, end) of a matrix as a view with the matrix's rows.
#pragma once
#include "tensor/tensor.h"

namespace eyrie {

template <typename Matrix>
Matrix columns(const Matrix& matrix, int64_t begin, int64_t end) {
  Matrix part = matrix;
  part.data = static_cast<typename Matrix::Byte*>(matrix.data) + begin * size_bytes(matrix.dtype);
  part.shape.dims[1] = end - begin;
  return part;
}

}  // namespace eyrie
