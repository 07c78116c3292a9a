// The tile loops over a BlockMask's lists; suffix keys are tiles like any other. The lists are built on the GPU, within
// the call, for the tile of each loop.
#include <algorithm>

#include "attention/gpu/mask_tiles.cuh"
#include "attention/sm80/passes.cuh"

namespace eyrie::gpu::sm80 {
namespace {

MaskLists build_lists(Exec& exec, const SuffixAttention& problem, BlockTile tile) {
  const BlockMaskRows rows = mask_rows(problem, tile);
  const BlockMaskSizes sizes = block_mask_capacity(rows, tile);
  const Tensor memory = exec.scratch.take(DType::i32, {sizes.elements()});
  const BlockMask mask = place_block_mask(sizes, tile, memory.as<int32_t>(Device::cuda));
  cuda::build_block_mask(rows, mask, exec.stream);
  return {mask, static_cast<int>(rows.tokens / tile.keys), static_cast<int>(rows.suffix_rows / tile.keys)};
}

int64_t lists_bytes(const SuffixAttention& problem, BlockTile tile) {
  return 4 * block_mask_capacity(mask_rows(problem, tile), tile).elements();
}

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const ScratchScope scope(exec.scratch);
  const auto lists = [&](int rows, int keys) { return build_lists(exec, problem, {rows, keys}); };
  with_half_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    launch_forward<MaskKeyTiles>(exec, "attention forward, masked", problem.q.dim(2), problem_of<T>(problem),
                                 outputs_of<T>(o, lse), lists,
                                 AttentionCost::of(exec, problem).forward(problem.depth()));
  });
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const ScratchScope scope(exec.scratch);
  const auto lists = [&](int rows, int keys) { return build_lists(exec, problem, {rows, keys}); };
  with_half_type(problem.q.dtype, [&](auto type) {
    const auto whole = problem_of<decltype(type)>(problem);
    auto rows_alone = whole;
    rows_alone.depth = 0;  // the suffix's gradients come out of the loop
    run_backward(exec, problem, grad, rows_alone, [&](const auto& gradients, const AttentionCost& cost) {
      launch_backward<MaskRowTiles>(exec, "attention backward, masked", problem.q.dim(2), whole, gradients, lists,
                                    cost.backward(whole.depth));
    });
  });
}

int64_t scratch_bytes(const SuffixAttention& problem) {
  int64_t lists = 0;
  with_dim(problem.q.dim(2), [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    using Forward = ForwardPlan<kDim>;
    using Large = BackwardPlan<kDim, true>;
    using Small = BackwardPlan<kDim, false>;
    lists = std::max({lists_bytes(problem, {Forward::kRows, Forward::kKeys}),
                      lists_bytes(problem, {Large::kRows, Large::kKeys}),
                      lists_bytes(problem, {Small::kRows, Small::kKeys})});
  });
  return backward_scratch_bytes(problem) + lists;
}

}  // namespace

const Implementation kMasked = {"sm80", Device::cuda, why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::gpu::sm80
