// attention/gpu_suffix_problem.h: a SuffixProblem on a GPU in a dtype of its own, and beside it the same numbers on the
// CPU in f32, whose answers are known.
#pragma once
#include <deque>

#include "attention/suffix_problem.h"

namespace eyrie {

class GpuSuffixProblem {
 public:
  GpuSuffixProblem(const SuffixShape& shape, DType dtype);

  SuffixProblem on_cpu;     // f32; every value is one of dtype's
  SuffixAttention problem;  // on the GPU; strided shapes have poison between the rows of every tensor
  ConstTensor d_o;

  Tensor output_o(std::string_view name);  // poisoned, guarded
  Tensor output_lse(std::string_view name);
  // The start values of on_cpu.gradients("start", ...), d_q poisoned.
  SuffixAttentionBackward gradients(const std::string& name, const ConstTensor& o, const ConstTensor& lse);
  testing::CaseMemory& memory() { return memory_; }
  const SuffixAttentionBackward& start() const { return start_; }  // on the CPU

 private:
  void round_inputs();
  ConstTensor rounded(const ConstTensor& tensor);
  Tensor output(std::string_view name, const Shape& shape, DType dtype);
  Tensor upload(std::string_view name, const ConstTensor& tensor, DType dtype);

  SuffixShape shape_;
  DType dtype_;
  testing::CaseMemory memory_;
  std::deque<Buffer> kept_;
  SuffixAttentionBackward start_;
};

}  // namespace eyrie
