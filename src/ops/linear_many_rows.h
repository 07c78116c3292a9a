// ops/linear_many_rows.h: y = (added +) x Wᵀ (+ bias) for many rows: the leaf loops. Private to the room: linear
// checks, these trust. Each call is one thread's share.
//
// x [rows, depth] and W [outputs, depth] are copied into tiles first, as f32 and in the order in which the product
// meets their elements. Each y is one chain of multiply-adds over `depth` in the lanes of linear_few_rows.h, summed by
// the same tree: its bits are those of that kernel, whatever rows and outputs are computed beside it.
#pragma once
#include "ops/linear_output.h"
#include "tensor/dtype.h"

namespace eyrie {

struct ProductOperand {
  const void* data;
  DType dtype;
  int64_t rows, depth, stride;  // elements from one row to the next
};

int64_t row_tiles(int64_t rows);  // tile t of x has the rows [rows * t / tiles, rows * (t + 1) / tiles)
inline constexpr int64_t kTileOutputs = 4, kKeptTiles = 8;

constexpr int64_t whole_tiles(int64_t outputs) { return (outputs + kTileOutputs - 1) / kTileOutputs * kTileOutputs; }

// Copies tiles [first, end) of x into [rows, packed_width(depth)], all tiles of which belong together, or the outputs
// [first, end) of W into [whole_tiles(end - first), packed_width(depth)]. `pairs`: W is bf16, whose elements come as
// even and odd ones.
void pack_row_tiles(const ProductOperand& x, bool pairs, int64_t first, int64_t end, float* packed);
void pack_output_tiles(const ProductOperand& weight, bool pairs, int64_t first, int64_t end, float* packed);

struct PackedProduct {
  const float *x, *weight;  // all row tiles; the tiles of outputs [first_output, end_output)
  int64_t rows, depth, first_output, end_output;
  LinearOutput to;
  float* kept;  // [kept_sums(outputs)], the thread's own
};
constexpr int64_t kept_sums(int64_t outputs) {  // the lanes of the largest tiles
  return kKeptTiles * whole_tiles(outputs) * 6 * 16;
}
void multiply_tiles(const PackedProduct& product, int64_t first_tile, int64_t end_tile);

}  // namespace eyrie
