// attention/cpu/tile_loops.h: the leaf loops of the backends that work by tiles. A tile holds keys in its rows and
// query lanes (one query head of one row each) in its columns, so that a lane's softmax runs down a column without any
// sum across a vector, and keys and values are read where they lie, as the broadcast operand of a product. Lane counts
// are multiples of kWidth.
#pragma once
#include <cstdint>

namespace eyrie::tiles {

inline constexpr int64_t kWidth = 16;

template <typename T>
struct BasicMatrix {
  T* data;
  int64_t rows, columns;
  int64_t row_step, column_step = 1;  // in floats

  operator BasicMatrix<const T>() const { return {data, rows, columns, row_step, column_step}; }
  T* row(int64_t index) const { return data + index * row_step; }
  BasicMatrix transposed() const { return {data, columns, rows, column_step, row_step}; }
  BasicMatrix rows_at(int64_t first, int64_t count) const {
    return {row(first), count, columns, row_step, column_step};
  }
  BasicMatrix columns_at(int64_t first, int64_t count) const {
    return {data + first * column_step, rows, count, row_step, column_step};
  }
};
using Matrix = BasicMatrix<float>;
using ConstMatrix = BasicMatrix<const float>;

// c = a b and c += a b; the sum of one element runs in the order of a's columns. c and b have a column step of 1 and a
// multiple of kWidth columns; a may be transposed.
void set_product(const Matrix& c, const ConstMatrix& a, const ConstMatrix& b);
void add_product(const Matrix& c, const ConstMatrix& a, const ConstMatrix& b);
// out(i, j) = a.row(i) . b.row(j), for the few keys that belong to one row alone.
void set_dots(const Matrix& out, const ConstMatrix& a, const ConstMatrix& b);
// a.row(i) *= factor, element by element.
void scale_rows(const Matrix& a, const float* factor);

// Which rows of a tile each lane sees: first..last, both [lanes]. Null: every lane sees all of them.
struct SeenKeys {
  const int32_t *first = nullptr, *last = nullptr;
};

// Scores in, weights 2^(score - highest) out; the lanes' running softmax moves on.
struct SoftmaxTile {
  Matrix score;  // [keys, lanes]
  SeenKeys seen;
  float* highest;  // [lanes], the highest score so far; finite from the start
  float* sum;      // [lanes], the sum of weights so far
  float* older;    // [lanes], written: the factor of everything summed before this tile
};
void softmax(const SoftmaxTile& tile);

// Scores and d_p = d_o . v in; weights p = 2^(factor score - lse) and d_score = p (d_p - delta) out.
struct GradientTile {
  Matrix score, d_p;  // [keys, lanes]
  SeenKeys seen;
  float factor;
  const float* lse;    // [lanes], in powers of two
  const float* delta;  // [lanes]
};
void gradient(const GradientTile& tile);

}  // namespace eyrie::tiles
