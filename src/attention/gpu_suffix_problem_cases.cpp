#include "attention/gpu_suffix_problem.h"

namespace eyrie {

GpuSuffixProblem::GpuSuffixProblem(const SuffixShape& shape, DType dtype)
    : on_cpu(shape.name(), shape), shape_(shape), dtype_(dtype), memory_(shape.name(), Device::cuda) {
  round_inputs();
  const SuffixAttention& from = on_cpu.problem;
  problem = {.q = upload("q", from.q, dtype),
             .prefix_k = upload("prefix_k", from.prefix_k, dtype),
             .prefix_v = upload("prefix_v", from.prefix_v, dtype),
             .token = upload("token", from.token, DType::i32),
             .start = upload("start", from.start, DType::i32),
             .scale = from.scale};
  d_o = upload("d_o", on_cpu.d_o, dtype);
  start_ = on_cpu.gradients("start", {}, {});
  if (from.depth() == 0) return;
  problem.suffix_k = upload("suffix_k", from.suffix_k, dtype);
  problem.suffix_v = upload("suffix_v", from.suffix_v, dtype);
  problem.suffix_row = upload("suffix_row", from.suffix_row, DType::i32);
}

void GpuSuffixProblem::round_inputs() {
  SuffixAttention& p = on_cpu.problem;
  for (ConstTensor* tensor : {&p.q, &p.prefix_k, &p.prefix_v, &p.suffix_k, &p.suffix_v, &on_cpu.d_o})
    if (tensor->defined()) *tensor = rounded(*tensor);
}

ConstTensor GpuSuffixProblem::rounded(const ConstTensor& tensor) {
  return kept_.emplace_back(Buffer::copy_of(Buffer::copy_of(tensor, dtype_), DType::f32)).tensor();
}

Tensor GpuSuffixProblem::output(std::string_view name, const Shape& shape, DType dtype) {
  if (!shape_.strided || shape.rank < 3) return memory_.output(name, shape, dtype);
  const int heads = shape.rank - 2;
  Shape wide = shape;
  wide.dims[heads] += 2;
  Tensor made = memory_.output(name, wide, dtype);
  made.data = static_cast<unsigned char*>(made.data) + made.strides[heads] * size_bytes(dtype);
  made.shape = shape;
  return made;
}

Tensor GpuSuffixProblem::upload(std::string_view name, const ConstTensor& tensor, DType dtype) {
  const Tensor made = output(name, tensor.shape, dtype);
  copy(tensor, made);
  return made;
}

Tensor GpuSuffixProblem::output_o(std::string_view name) { return output(name, d_o.shape, dtype_); }

Tensor GpuSuffixProblem::output_lse(std::string_view name) {
  return output(name, {problem.q.dim(0), problem.q.dim(1)}, DType::f32);
}

SuffixAttentionBackward GpuSuffixProblem::gradients(const std::string& name, const ConstTensor& o,
                                                    const ConstTensor& lse) {
  const auto from = [&](const char* tensor, const Tensor& value) {
    return upload(name + "." + tensor, value, DType::f32);
  };
  SuffixAttentionBackward grad = {.o = o,
                                  .lse = lse,
                                  .d_o = d_o,
                                  .d_q = output(name + ".d_q", problem.q.shape, dtype_),
                                  .d_prefix_k = from("d_prefix_k", start_.d_prefix_k),
                                  .d_prefix_v = from("d_prefix_v", start_.d_prefix_v)};
  if (problem.depth() == 0) return grad;
  grad.d_suffix_k = from("d_suffix_k", start_.d_suffix_k);
  grad.d_suffix_v = from("d_suffix_v", start_.d_suffix_v);
  return grad;
}

}  // namespace eyrie
