// Plain causal attention over the prefix, as any flash kernel does it, and the suffix as a pass of its own over the
// rows: forward behind it (o and lse of the prefix count as one more key), backward before it (the suffix terms seed
// d_q). The prefix is differentiated with the merged o and lse.
#include "attention/tiles/loop.h"

namespace eyrie::merge {
namespace {

int64_t scratch_bytes(const SuffixAttention& problem) { return tiles::scratch_bytes(tiles::CausalWalk(problem)); }

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const tiles::CausalWalk walk(problem);
  tiles::forward(exec, {.walk = walk}, o, lse);
  if (problem.depth() > 0)
    tiles::forward(exec, {.walk = walk, .onto_output = true, .suffix = true, .keys = false}, o, lse);
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const tiles::CausalWalk walk(problem);
  const bool suffix = problem.depth() > 0;
  if (suffix) tiles::backward(exec, {.walk = walk, .suffix = true, .keys = false}, grad);
  tiles::backward(exec, {.walk = walk, .onto_output = suffix}, grad);
}

}  // namespace

const DeviceFunctions kCpu = {tiles::why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::merge
