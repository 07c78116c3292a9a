// The causal loops. fused: the suffix is the first state of the online softmax. merge: the loop over the prefix alone,
// then the suffix enters o and lse, row by row. Backward is one: the stock backward of the prefix, fed the merged o and
// lse; the suffix's terms stand in its preparation.
#include "attention/sm80/passes.cuh"

namespace eyrie::gpu::sm80 {
namespace {

constexpr auto kNoLists = [](int, int) { return NoLists(); };

// `problem.depth` is the suffix that starts the softmax.
template <typename T>
void run_causal(Exec& exec, const AttentionCost& cost, int64_t dim, const Problem<T>& problem, const Outputs<T>& out) {
  launch_forward<CausalKeyTiles>(exec, "attention forward, causal", dim, problem, out, kNoLists,
                                 cost.forward(problem.depth));
}

void fused_forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  with_half_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    run_causal(exec, AttentionCost::of(exec, problem), problem.q.dim(2), problem_of<T>(problem), outputs_of<T>(o, lse));
  });
}

void merge_forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  with_half_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    const auto whole = problem_of<T>(problem);
    auto prefix = whole;
    prefix.depth = 0;
    const auto out = outputs_of<T>(o, lse);
    const auto cost = AttentionCost::of(exec, problem);
    run_causal(exec, cost, problem.q.dim(2), prefix, out);
    merge_suffix(exec, cost, static_cast<int>(problem.q.dim(2)), whole, out);
  });
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  with_half_type(problem.q.dtype, [&](auto type) {
    const auto made = problem_of<decltype(type)>(problem);
    run_backward(exec, problem, grad, made, [&](const auto& gradients, const AttentionCost& cost) {
      launch_backward<CausalRowTiles>(exec, "attention backward, causal", problem.q.dim(2), made, gradients, kNoLists,
                                      cost.backward(0));
    });
  });
}

}  // namespace

const Implementation kFused = {"sm80", Device::cuda, why_not, backward_scratch_bytes, fused_forward, backward};
const Implementation kMerge = {"sm80", Device::cuda, why_not, backward_scratch_bytes, merge_forward, backward};

}  // namespace eyrie::gpu::sm80
