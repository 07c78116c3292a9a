// The causal loop over the prefix alone, then the suffix enters o and lse, row by row. Backward is the stock backward
// of the prefix fed the merged o and lse: the same launches as fused.
#include "attention/gpu/passes.cuh"
#include "attention/merge/cudnn_prefix.cuh"

namespace eyrie::merge {
namespace {

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  gpu::with_half_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    const auto whole = gpu::problem_of<T>(problem);
    auto prefix = whole;
    prefix.depth = 0;
    const auto out = gpu::outputs_of<T>(o, lse);
    if (!run_cudnn_prefix(exec, problem, o, lse)) gpu::forward_causal(exec, problem.q.dim(2), prefix, out);
    gpu::merge_suffix(exec, static_cast<int>(problem.q.dim(2)), whole, out);
  });
}

int64_t scratch_bytes(const SuffixAttention& problem) {
  return std::max(gpu::backward_scratch_bytes(problem), cudnn_prefix_bytes(problem));
}

}  // namespace

const DeviceFunctions kCuda = {gpu::why_not, scratch_bytes, forward, gpu::backward_causal};

}  // namespace eyrie::merge
