#include "train/step_attention.h"

#include <deque>

namespace eyrie {
namespace {

// A problem's tensors on the GPU, and what comes back from there.
class OnGpu {
 public:
  OnGpu(const SuffixAttention& problem, AttentionBackend wanted)
      : dtype_(wanted == AttentionBackend::dense ? DType::f32 : DType::bf16), problem_(problem) {
    for (ConstTensor* values :
         {&problem_.q, &problem_.prefix_k, &problem_.prefix_v, &problem_.suffix_k, &problem_.suffix_v})
      *values = above(*values, dtype_);
    for (ConstTensor* index : {&problem_.token, &problem_.start, &problem_.suffix_row})
      *index = above(*index, DType::i32);
  }

  const SuffixAttention& problem() const { return problem_; }
  DType dtype() const { return dtype_; }

  Tensor above(const ConstTensor& tensor, DType dtype) {
    return tensor.defined() ? kept_.emplace_back(Buffer::copy_of(tensor, dtype, Device::cuda)).tensor() : Tensor();
  }
  // What `tensor` will be given by copy_back().
  Tensor result(const Tensor& tensor, DType dtype) {
    const Tensor made = above(tensor, dtype);
    if (tensor.defined()) results_.push_back({made, tensor});
    return made;
  }
  void copy_back() const {
    for (const auto& [from, to] : results_) copy(from, to);
  }

 private:
  DType dtype_;
  SuffixAttention problem_;
  std::deque<Buffer> kept_;
  std::vector<std::pair<Tensor, Tensor>> results_;
};

}  // namespace

StepAttention::StepAttention(Exec& exec, AttentionBackend wanted, Device device)
    : exec_(exec), wanted_(wanted), gpu_(device) {}

AttentionBackend StepAttention::forward(const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  if (gpu_.device == Device::cpu) {
    const AttentionBackend chosen = choose_backend(wanted_, problem);
    suffix_attention(exec_, chosen, problem, o, lse);
    return chosen;
  }
  OnGpu there(problem, wanted_);
  const AttentionBackend chosen = choose_backend(wanted_, there.problem());
  suffix_attention(gpu_, chosen, there.problem(), there.result(o, there.dtype()), there.result(lse, DType::f32));
  there.copy_back();
  return chosen;
}

AttentionBackend StepAttention::backward(const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  if (gpu_.device == Device::cpu) {
    const AttentionBackend chosen = choose_backend(wanted_, problem);
    suffix_attention_backward(exec_, chosen, problem, grad);
    return chosen;
  }
  OnGpu there(problem, wanted_);
  const AttentionBackend chosen = choose_backend(wanted_, there.problem());
  const SuffixAttentionBackward above = {.o = there.above(grad.o, there.dtype()),
                                         .lse = there.above(grad.lse, DType::f32),
                                         .d_o = there.above(grad.d_o, there.dtype()),
                                         .d_q = there.result(grad.d_q, there.dtype()),
                                         .d_prefix_k = there.result(grad.d_prefix_k, DType::f32),
                                         .d_prefix_v = there.result(grad.d_prefix_v, DType::f32),
                                         .d_suffix_k = there.result(grad.d_suffix_k, DType::f32),
                                         .d_suffix_v = there.result(grad.d_suffix_v, DType::f32),
                                         .deterministic = true};
  suffix_attention_backward(gpu_, chosen, there.problem(), above);
  there.copy_back();
  return chosen;
}

}  // namespace eyrie
