// The suffix is the first state of the online softmax; backward's suffix terms stand in its preparation.
#include "attention/gpu/passes.cuh"

namespace eyrie::fused {
namespace {

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  gpu::with_half_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    gpu::forward_causal(exec, problem.q.dim(2), gpu::problem_of<T>(problem), gpu::outputs_of<T>(o, lse));
  });
}

}  // namespace

const DeviceFunctions kCuda = {gpu::why_not, gpu::backward_scratch_bytes, forward, gpu::backward_causal};

}  // namespace eyrie::fused
