// The suffix is the state that the causal loop over the prefix starts from.
#include "attention/tiles/loop.h"

namespace eyrie::fused {
namespace {

int64_t scratch_bytes(const SuffixAttention& problem) { return tiles::scratch_bytes(tiles::CausalWalk(problem)); }

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const tiles::CausalWalk walk(problem);
  tiles::forward(exec, {.walk = walk, .suffix = true}, o, lse);
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const tiles::CausalWalk walk(problem);
  tiles::backward(exec, {.walk = walk, .suffix = true}, grad);
}

}  // namespace

const DeviceFunctions kCpu = {tiles::why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::fused
