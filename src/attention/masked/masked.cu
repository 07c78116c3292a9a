// The tile loops over a BlockMask's lists; suffix keys are tiles like any other. The lists are built on the GPU, within
// the call, for the tile of each loop.
#include <algorithm>

#include "attention/gpu/passes.cuh"
#include "attention/masked/mask_tiles.cuh"

namespace eyrie::masked {
namespace {

// The flat keys of `problem` for tiles of `tile`: each part a whole number of tiles.
BlockMaskRows flat_rows(const SuffixAttention& problem, BlockTile tile) {
  BlockMaskRows rows = mask_rows(problem);
  rows.tokens = gpu::tiles_of(rows.tokens, tile.keys) * tile.keys;
  rows.suffix_rows = gpu::tiles_of(rows.suffix_rows, tile.keys) * tile.keys;
  return rows;
}

gpu::MaskLists build_lists(Exec& exec, const SuffixAttention& problem, BlockTile tile) {
  const BlockMaskRows rows = flat_rows(problem, tile);
  const BlockMaskSizes sizes = block_mask_capacity(rows, tile);
  const Tensor memory = exec.scratch.take(DType::i32, {sizes.elements()});
  const BlockMask mask = place_block_mask(sizes, tile, memory.as<int32_t>(Device::cuda));
  cuda::build_block_mask(rows, mask, exec.stream);
  return {mask, static_cast<int>(rows.tokens / tile.keys), static_cast<int>(rows.suffix_rows / tile.keys)};
}

int64_t lists_bytes(const SuffixAttention& problem, BlockTile tile) {
  return 4 * block_mask_capacity(flat_rows(problem, tile), tile).elements();
}

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const ScratchScope scope(exec.scratch);
  gpu::with_half_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    gpu::launch_forward<gpu::MaskKeyTiles>(exec, "attention forward, masked", problem.q.dim(2),
                                           gpu::problem_of<T>(problem), gpu::outputs_of<T>(o, lse),
                                           [&](int rows, int keys) {
                                             return build_lists(exec, problem, {rows, keys});
                                           });
  });
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const ScratchScope scope(exec.scratch);
  gpu::with_half_type(problem.q.dtype, [&](auto type) {
    const auto whole = gpu::problem_of<decltype(type)>(problem);
    auto rows_alone = whole;
    rows_alone.depth = 0;  // the suffix's gradients come out of the loop
    gpu::run_backward(exec, problem, grad, rows_alone, [&](const auto& gradients) {
      gpu::launch_backward<gpu::MaskRowTiles>(exec, "attention backward, masked", problem.q.dim(2), whole, gradients,
                                              [&](int rows, int keys) {
                                                return build_lists(exec, problem, {rows, keys});
                                              });
    });
  });
}

int64_t scratch_bytes(const SuffixAttention& problem) {
  int64_t lists = 0;
  gpu::with_dim(problem.q.dim(2), [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    using Forward = gpu::ForwardPlan<kDim>;
    using Large = gpu::BackwardPlan<kDim, true>;
    using Small = gpu::BackwardPlan<kDim, false>;
    lists = std::max({lists_bytes(problem, {Forward::kRows, Forward::kKeys}),
                      lists_bytes(problem, {Large::kRows, Large::kKeys}),
                      lists_bytes(problem, {Small::kRows, Small::kKeys})});
  });
  return gpu::backward_scratch_bytes(problem) + lists;
}

}  // namespace

const DeviceFunctions kCuda = {gpu::why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::masked
