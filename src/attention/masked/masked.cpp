// The tile loop over all keys, prefix and suffixes alike, as a BlockMask lists them; the lanes start empty.
#include "attention/masked/mask_walk.h"
#include "attention/tiles/loop.h"

namespace eyrie::masked {
namespace {

int64_t scratch_bytes(const SuffixAttention& problem) {
  const MaskWalk walk(problem);
  return walk.mask_bytes() + tiles::scratch_bytes(walk);
}

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const ScratchScope scope(exec.scratch);
  MaskWalk walk(problem);
  walk.build(exec);
  tiles::forward(exec, {.walk = walk}, o, lse);
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const ScratchScope scope(exec.scratch);
  MaskWalk walk(problem);
  walk.build(exec);
  tiles::backward(exec, {.walk = walk}, grad);
}

}  // namespace

const DeviceFunctions kCpu = {tiles::why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::masked
