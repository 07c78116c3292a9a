#include "attention/gpu/passes.cuh"

namespace eyrie::gpu {

void backward_causal(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  with_half_type(problem.q.dtype, [&](auto type) {
    const auto made = problem_of<decltype(type)>(problem);
    run_backward(exec, problem, grad, made, [&](const auto& gradients) {
      launch_backward<CausalRowTiles>(exec, "attention backward, causal", problem.q.dim(2), made, gradients,
                                      [](int, int) { return NoLists(); });
    });
  });
}

}  // namespace eyrie::gpu
