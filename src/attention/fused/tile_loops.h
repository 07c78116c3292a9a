// attention/fused/tile_loops.h: the leaf loops of fused attention. A tile holds keys in its rows and query lanes (one
// query head of one row each) in its columns, so that a lane's softmax runs down a column without any sum across a
// vector, and keys and values are read where they lie, as the broadcast operand. Lane counts are multiples of kWidth.
#pragma once
#include <cstdint>

namespace eyrie::fused {

inline constexpr int64_t kWidth = 16;

// c(r, j) = (add ? c(r, j) : 0) + sum over s of a(r, s) b(s, j), the sum taken in the order of s.
struct Product {
  const float* a;  // a(r, s) = a[r * a_row + s * a_step]
  int64_t a_row, a_step;
  const float* b;  // b(s, j) = b[s * b_step + j]
  int64_t b_step;
  float* c;  // c(r, j) = c[r * c_row + j]
  int64_t c_row;
  int64_t rows, columns, steps;  // columns: a multiple of kWidth
  bool add;
};
void multiply(const Product& product);

// Scores in, weights 2^(score - highest) out; the lanes' running softmax moves on.
struct SoftmaxTile {
  float* score;  // [keys, lanes]
  int64_t keys, lanes;
  const int32_t* last_key;  // [lanes], the last row of the tile that the lane sees; null: it sees all
  float* highest;           // [lanes], the highest score so far; finite from the start
  float* sum;               // [lanes], the sum of weights so far
  float* older;             // [lanes], written: the factor of everything summed before this tile
};
void softmax(const SoftmaxTile& tile);

// Scores and d_p = d_o . v in, weights p = 2^(factor score - lse) and d_score = p (d_p - delta) out.
struct GradientTile {
  float* score;  // [keys, lanes]
  float* d_p;    // [keys, lanes]
  int64_t keys, lanes;
  const int32_t* last_key;  // [lanes] or null, as above
  float factor;
  const float* lse;    // [lanes], in powers of two
  const float* delta;  // [lanes]
};
void gradient(const GradientTile& tile);

// out[i * out_step + lane] = a[lane] . b[i], for the few keys that belong to these lanes alone.
struct Dots {
  const float* a;  // [lanes, width]
  int64_t lanes, width;
  const float* b;  // row i at b + i * b_step
  int64_t b_step, count;
  float* out;
  int64_t out_step;
};
void dot(const Dots& dots);

// rows[r, lanes] *= factor[lane].
void scale_rows(float* rows, int64_t count, int64_t lanes, const float* factor);

}  // namespace eyrie::fused
