// attention/gpu/rows.cuh: what is local to a row, as kernels of their own: each is bound by the bytes it moves.
//   prepare  before backward: delta, lse in powers of two, the suffix's gradients and its part of dq
//   merge    after a forward of the prefix alone: the suffix enters o and lse
//   finish   after backward: dq = scale * workspace, in the dtype of q
#pragma once
#include "attention/cost.h"
#include "attention/gpu/problem.cuh"

namespace eyrie::gpu {

// Where the workspace of dq keeps an even column (and the odd one behind it): what a lane holds of two neighbouring
// octets lies together, so that it is added by 16 bytes. Each half of dim has its own pairs.
template <int kDim>
__device__ __forceinline__ int dq_place(int column) {
  constexpr int kWidth = kDim / 2, kPaired = kWidth / 16 * 16;
  const int local = column % kWidth, octet = local / 8;
  if (local >= kPaired) return column;
  return column - local + octet / 2 * 16 + local % 8 * 2 + octet % 2 * 2;
}

constexpr int kSpareRows = 8;  // of the lanes of a warp: additions to one address wait for each other

template <typename T>
struct Gradients {
  Heads<const T> d_o;
  float2* stats;        // [q_heads, rows]: lse in powers of two, delta
  float* d_q;           // workspace [q_heads, rows, dim], unscaled
  float* nowhere;       // [kSpareRows, dim]: rows beyond a tile's end add here, so that no addition has a condition
  int* turn = nullptr;  // [q_heads, rows], zeros: whose turn it is to add to a row tile; null: any order
  Rounds<float> keys, values;
  int heads = 1;  // query heads that a CTA walks, of one key-value head
};

template <typename T>
struct Saved {  // of forward, and what came back
  Heads<const T> o, d_o;
  const float* lse;
  int64_t lse_step;
};

// Writes grad.stats and grad.d_q, adds into the suffix's gradients; with problem.depth = 0 dq starts from zeros.
template <typename T>
void prepare(Exec& exec, const AttentionCost& cost, int dim, const Problem<T>& problem, const Saved<T>& saved,
             const Gradients<T>& grad);
template <typename T>
void merge_suffix(Exec& exec, const AttentionCost& cost, int dim, const Problem<T>& problem, const Outputs<T>& out);
template <typename T>
void finish(Exec& exec, const AttentionCost& cost, int dim, const Problem<T>& problem, float* workspace,
            const Heads<T>& d_q);

}  // namespace eyrie::gpu
