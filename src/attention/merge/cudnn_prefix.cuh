// attention/merge/cudnn_prefix.cuh: the causal prefix of one whole sequence by cuDNN's flash kernel.
#pragma once
#include "attention/backend.h"

namespace eyrie::merge {

// Writes o [rows, q_heads, dim] and lse [rows, q_heads] of the prefix alone. False, with nothing done, where it does
// not apply: not known to be one whole sequence, outputs that are not contiguous, a GPU older than Hopper (elsewhere it
// was not seen to be faster), no cuDNN, or none that has such a kernel (of these two the log says so once).
bool run_cudnn_prefix(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse);
int64_t cudnn_prefix_bytes(const SuffixAttention& problem);  // of scratch

}  // namespace eyrie::merge
