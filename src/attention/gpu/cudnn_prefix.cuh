// attention/gpu/cudnn_prefix.cuh: the causal prefix of one whole sequence by cuDNN's flash kernel.
#pragma once
#include "attention/backend.h"

namespace eyrie::gpu {

// Writes o [rows, q_heads, dim] and lse [rows, q_heads] of the prefix alone. False, with nothing done, where it does
// not apply: not known to be one whole sequence; outputs that are not contiguous, an lse not aligned to 16 bytes; a GPU
// that is no Hopper (nowhere else was it measured); a shape whose plan is not built yet while a graph is captured
// (cudnn_prefix_bytes builds it); no cuDNN, or none with such a kernel: of this the log says so once.
bool run_cudnn_prefix(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse);
int64_t cudnn_prefix_bytes(const SuffixAttention& problem);  // of scratch

}  // namespace eyrie::gpu
