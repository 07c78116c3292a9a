// train/step_attention.h: the attention of a training step whose tensors are all f32 on the CPU; on a GPU when asked
// for, the rest of the step staying where it is. There `dense` keeps f32; the tile loops of the other backends read
// bf16: q, k, v and d_o are rounded, o and d_q come back rounded, sums stay f32. Every call copies all it reads and
// writes: a way to compare, not to be fast.
#pragma once
#include "attention/suffix_attention.h"

namespace eyrie {

class StepAttention {
 public:
  // Error{device} when there is no GPU or no CUDA in this program.
  StepAttention(Exec& exec, AttentionBackend wanted, Device device);

  // As the functions of suffix_attention.h; return the backend that ran.
  AttentionBackend forward(const SuffixAttention& problem, const Tensor& o, const Tensor& lse);
  AttentionBackend backward(const SuffixAttention& problem, const SuffixAttentionBackward& grad);

 private:
  Exec& exec_;
  AttentionBackend wanted_;
  Exec gpu_;  // a CPU's when it is not needed
};

}  // namespace eyrie
