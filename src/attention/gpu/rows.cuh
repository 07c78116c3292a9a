// attention/gpu/rows.cuh: what is local to a row, as kernels of their own: each is bound by the bytes it moves.
//   prepare  before backward: delta, lse in powers of two, the suffix's gradients and its part of dq
//   merge    after a forward of the prefix alone: the suffix enters o and lse
//   finish   after backward: dq = scale * workspace, in the dtype of q
#pragma once
#include "attention/backend.h"
#include "attention/gpu/backward_kernel.cuh"

namespace eyrie::gpu {

template <typename T>
struct Saved {  // of forward, and what came back
  Heads<const T> o, d_o;
  const float* lse;
  int64_t lse_step;
};

// Writes grad.stats and grad.d_q, adds into the suffix's gradients; with problem.depth = 0 dq starts from zeros.
template <typename T>
void prepare(Exec& exec, int dim, const Problem<T>& problem, const Saved<T>& saved, const Gradients<T>& grad);
template <typename T>
void merge_suffix(Exec& exec, int dim, const Problem<T>& problem, const Outputs<T>& out);
template <typename T>
void finish(Exec& exec, int dim, const Problem<T>& problem, float* workspace, const Heads<T>& d_q);

}  // namespace eyrie::gpu
