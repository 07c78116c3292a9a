// ops/row_kernels.h: the leaf loops of ops/norm and ops/activation on one row of f32, compiled once per instruction
// set. Private to the room.
#pragma once
#include <cstdint>

namespace eyrie {

// y = w x / rms(x); y may be x.
void norm_row(const float* x, const float* weight, float eps, int64_t width, float* y);

struct NormGradientRow {
  const float *x, *weight, *d_y;
  float eps;
  int64_t width;
  const float* added;  // may be d_x; null: none
  float* d_x;          // may be d_y
  float* d_weight;     // += ; null: not wanted
};
void norm_gradient_row(const NormGradientRow& row);

void silu_row(const float* gate, const float* up, int64_t width, float* product);

struct SiluGradientRow {
  const float *gate, *up, *d_product;
  int64_t width;
  float *d_gate, *d_up;  // either may be d_product, d_gate gate, d_up up
};
void silu_gradient_row(const SiluGradientRow& row);

}  // namespace eyrie
