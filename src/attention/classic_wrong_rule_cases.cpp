#include <cmath>

#include "attention/classic_wrong_rule.h"
namespace eyrie {
namespace {

// to(row, head) = exp(lse0 - lse) d_o(row, head)
void weigh(const ConstTensor& d_o, const ConstTensor& lse0, const ConstTensor& lse, const Tensor& to) {
  const auto from = d_o.view<float, 3>();
  const auto out = to.view<float, 3>();
  const auto part = lse0.view<float, 2>(), whole = lse.view<float, 2>();
  for (int64_t row = 0; row < from.dims[0]; ++row)
    for (int64_t head = 0; head < from.dims[1]; ++head) {
      const float share = std::exp(part(row, head) - whole(row, head));
      for (int64_t i = 0; i < from.dims[2]; ++i) out(row, head, i) = share * from(row, head, i);
    }
}

void add(double factor, const ConstTensor& from, const Tensor& to) {  // contiguous
  for (int64_t i = 0; i < to.elements(); ++i) to.as<float>()[i] += static_cast<float>(factor * from.as<float>()[i]);
}

}  // namespace

void classic_wrong_backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  constexpr auto kBackend = AttentionBackend::dense;
  if (problem.depth() == 0) return suffix_attention_backward(exec, kBackend, problem, grad);
  const ScratchScope scope(exec.scratch);
  const auto like = [&](const ConstTensor& tensor) { return exec.scratch.take(DType::f32, tensor.shape); };
  SuffixAttention prefix = problem;
  prefix.suffix_k = prefix.suffix_v = prefix.suffix_row = {};

  // Right, but for the prefix's keys, whose sums go nowhere; then the prefix's part of d_q comes off again.
  SuffixAttentionBackward whole = grad;
  whole.d_prefix_k = like(grad.d_prefix_k), whole.d_prefix_v = like(grad.d_prefix_v);
  fill_zero(whole.d_prefix_k), fill_zero(whole.d_prefix_v);
  suffix_attention_backward(exec, kBackend, problem, whole);
  SuffixAttentionBackward merged = whole;
  merged.d_q = like(grad.d_q), merged.d_suffix_k = merged.d_suffix_v = {};
  suffix_attention_backward(exec, kBackend, prefix, merged);
  add(-1, merged.d_q, grad.d_q);

  SuffixAttentionBackward alone = merged;
  const Tensor o0 = like(grad.o), lse0 = like(grad.lse), d_o0 = like(grad.d_o);
  suffix_attention(exec, kBackend, prefix, o0, lse0);
  weigh(grad.d_o, lse0, grad.lse, d_o0);
  alone.o = o0, alone.lse = lse0, alone.d_o = d_o0;
  alone.d_prefix_k = grad.d_prefix_k, alone.d_prefix_v = grad.d_prefix_v;
  suffix_attention_backward(exec, kBackend, prefix, alone);
  add(1, alone.d_q, grad.d_q);
}

}  // namespace eyrie
