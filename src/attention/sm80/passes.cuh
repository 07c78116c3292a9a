// attention/sm80/passes.cuh: launches of the two tile loops. Each .cu that calls them compiles them for its Tiles.
#pragma once
#include "attention/gpu/dispatch.cuh"
#include "attention/gpu/rows.cuh"
#include "attention/sm80/backward_kernel.cuh"
#include "attention/sm80/forward_kernel.cuh"
#include "cuda/launch.cuh"

namespace eyrie::gpu::sm80 {

// Why the loops do not take a problem on this device: its dtype, its width, rows not aligned to 16 bytes.
std::string why_not(const SuffixAttention& problem, Arguments others);

inline int tiles_of(int64_t count, int size) { return static_cast<int>((count + size - 1) / size); }

// Neighbouring key-value heads whose keys and values stay in L2 while their tiles are walked.
template <typename T>
int heads_at_once(const Problem<T>& problem, int dim) {
  constexpr int64_t kBytes = int64_t{16} << 20;
  int heads = problem.kv_heads;
  while (heads > 1 && (problem.kv_heads % heads != 0 || int64_t{4} * heads * problem.tokens * dim > kBytes)) --heads;
  return heads;
}

// ForwardTiles<kKeys>; lists(kRows, kKeys) gives what its kernels read.
template <template <int> typename ForwardTiles, typename T, typename Lists>
void launch_forward(Exec& exec, const char* name, int64_t dim, const Problem<T>& problem, const Outputs<T>& out,
                    const Lists& lists, const cuda::LaunchCost& cost) {
  with_dim(dim, [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    using Plan = ForwardPlan<kDim>;
    const Order order = {tiles_of(problem.rows, Plan::kRows), heads_at_once(problem, kDim) * problem.group};
    cuda::launch(name, forward_kernel<T, kDim, ForwardTiles<Plan::kKeys>>,
                 {static_cast<unsigned>(order.tiles * problem.q_heads), Plan::kThreads, Plan::kSharedBytes}, cost,
                 exec.stream, problem, out, order, lists(Plan::kRows, Plan::kKeys));
  });
}

template <template <int, int> typename BackwardTiles, typename T, typename Lists>
void launch_backward(Exec& exec, const char* name, int64_t dim, const Problem<T>& problem, Gradients<T> grad,
                     const Lists& lists, const cuda::LaunchCost& cost) {
  const cuda::DeviceProperties& gpu = cuda::device_properties();
  with_dim(dim, [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    const auto run = [&](auto large) {
      using Plan = BackwardPlan<kDim, decltype(large)::value>;
      using Tiles = BackwardTiles<Plan::kRows, Plan::kKeys>;
      const auto given = lists(Plan::kRows, Plan::kKeys);
      const int tiles = Tiles::key_tiles(problem, given);
      // A CTA walks the whole group when there is work enough for all, or when the order of the sums must not change.
      const bool whole = grad.turn || int64_t{tiles} * problem.kv_heads >= int64_t{4} * gpu.multiprocessors;
      grad.heads = whole ? problem.group : 1;
      const Order order = {tiles, heads_at_once(problem, kDim) * problem.group / grad.heads};
      cuda::launch(name, backward_kernel<T, kDim, decltype(large)::value, Tiles>,
                   {static_cast<unsigned>(tiles * (problem.q_heads / grad.heads)), Plan::kThreads, Plan::kSharedBytes},
                   cost, exec.stream, problem, grad, order, given);
    };
    if (BackwardPlan<kDim, true>::kSharedBytes <= gpu.shared_bytes_per_block)
      run(std::true_type());
    else
      run(std::false_type());
  });
}

// The whole backward around a launch of the tile loop: prepare, loop(gradients, cost), finish. `rows_problem` has the
// suffix that prepare takes; without one the loop has to.
template <typename T, typename Loop>
void run_backward(Exec& exec, const SuffixAttention& given, const SuffixAttentionBackward& wanted,
                  const Problem<T>& rows_problem, Loop loop) {
  const AttentionSizes sizes(given);
  const ScratchScope scope(exec.scratch);
  const int64_t d_q_elements = sizes.q_heads * sizes.rows * sizes.dim;
  const Tensor d_q = exec.scratch.take(DType::f32, {d_q_elements + kSpareRows * sizes.dim});
  const Tensor stats = exec.scratch.take(DType::f32, {sizes.q_heads, sizes.rows, 2});
  Gradients<T> grad = {.d_o = heads_of<const T>(wanted.d_o),
                       .stats = reinterpret_cast<float2*>(stats.as<float>(Device::cuda)),
                       .d_q = d_q.as<float>(Device::cuda),
                       .nowhere = d_q.as<float>(Device::cuda) + d_q_elements,
                       .keys = rounds_of<float>(wanted.d_prefix_k, wanted.d_suffix_k, sizes.depth),
                       .values = rounds_of<float>(wanted.d_prefix_v, wanted.d_suffix_v, sizes.depth)};
  if (wanted.deterministic) {
    const Tensor turn = exec.scratch.take(DType::i32, {sizes.q_heads, sizes.rows});
    grad.turn = turn.as<int>(Device::cuda);
    zero(exec, turn);
  }
  const int dim = static_cast<int>(sizes.dim);
  const auto cost = AttentionCost::of(exec, given);
  prepare(exec, cost, dim, rows_problem,
          Saved<T>{heads_of<const T>(wanted.o), grad.d_o, wanted.lse.view<float, 2>(Device::cuda).data,
                   wanted.lse.strides[0]},
          grad);
  loop(grad, cost);
  finish(exec, cost, dim, rows_problem, grad.d_q, heads_of<T>(wanted.d_q));
}

// What run_backward takes.
inline int64_t backward_scratch_bytes(const SuffixAttention& problem) {
  const AttentionSizes sizes(problem);
  return sizes.q_heads * sizes.rows * (sizes.dim * 4 + 12) + kSpareRows * sizes.dim * 4;
}

}  // namespace eyrie::gpu::sm80
