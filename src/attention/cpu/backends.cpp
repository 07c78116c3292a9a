// fused, merge and masked on the CPU: one tile loop, each with its walk over the keys and what its lanes start from.
#include <fmt/core.h>

#include <algorithm>

#include "attention/cpu/loop.h"
#include "attention/cpu/mask_walk.h"

namespace eyrie::cpu {
namespace {

using tiles::CausalWalk;
using tiles::MaskWalk;

std::string why_not(const SuffixAttention& problem, Arguments) {
  for (const int64_t width : {problem.q.dim(2), problem.prefix_v.dim(2)})
    if (width % tiles::kWidth != 0)
      return fmt::format("head dimension {} is not a multiple of the {} floats of a vector", width, tiles::kWidth);
  return "";
}

int64_t loop_bytes(const tiles::KeyWalk& walk) {
  return std::max(tiles::forward_bytes(walk), tiles::backward_bytes(walk));
}

int64_t causal_bytes(const SuffixAttention& problem) { return loop_bytes(CausalWalk(problem)); }

// fused: the suffix is the state that the causal loop over the prefix starts from.

void fused_forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const CausalWalk walk(problem);
  tiles::forward(exec, {.walk = walk, .suffix = true}, o, lse);
}

void fused_backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const CausalWalk walk(problem);
  tiles::backward(exec, {.walk = walk, .suffix = true}, grad);
}

// merge: plain causal attention over the prefix, as any flash kernel does it, and the suffix as a pass of its own over
// the rows: forward behind it (o and lse of the prefix count as one more key), backward before it (the suffix terms
// seed d_q). The prefix is differentiated with the merged o and lse.

void merge_forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const CausalWalk walk(problem);
  tiles::forward(exec, {.walk = walk}, o, lse);
  if (problem.depth() > 0)
    tiles::forward(exec, {.walk = walk, .onto_output = true, .suffix = true, .keys = false}, o, lse);
}

void merge_backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const CausalWalk walk(problem);
  const bool suffix = problem.depth() > 0;
  if (suffix) tiles::backward(exec, {.walk = walk, .suffix = true, .keys = false}, grad);
  tiles::backward(exec, {.walk = walk, .onto_output = suffix}, grad);
}

// masked: the loop over all keys, prefix and suffixes alike, as a BlockMask lists them; the lanes start empty.

int64_t masked_bytes(const SuffixAttention& problem) {
  const MaskWalk walk(problem);
  return walk.mask_bytes() + loop_bytes(walk);
}

void masked_forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const ScratchScope scope(exec.scratch);
  MaskWalk walk(problem);
  walk.build(exec);
  tiles::forward(exec, {.walk = walk}, o, lse);
}

void masked_backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const ScratchScope scope(exec.scratch);
  MaskWalk walk(problem);
  walk.build(exec);
  tiles::backward(exec, {.walk = walk}, grad);
}

}  // namespace

const Implementation kFused = {"cpu", Device::cpu, why_not, causal_bytes, fused_forward, fused_backward};
const Implementation kMerge = {"cpu", Device::cpu, why_not, causal_bytes, merge_forward, merge_backward};
const Implementation kMasked = {"cpu", Device::cpu, why_not, masked_bytes, masked_forward, masked_backward};

}  // namespace eyrie::cpu
