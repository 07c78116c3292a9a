// attention/backend.h: what runs suffix attention, seen from inside the room. The door (suffix_attention.cpp) has
// checked every shape, dtype and index before one of these runs.
#pragma once
#include <span>
#include <string>

#include "attention/suffix_attention.h"

namespace eyrie {

struct AttentionSizes {
  int64_t rows, tokens, q_heads, kv_heads, group, dim, value_dim, depth;
  explicit AttentionSizes(const SuffixAttention& problem)
      : rows(problem.q.dim(0)),
        tokens(problem.prefix_k.dim(0)),
        q_heads(problem.q.dim(1)),
        kv_heads(problem.prefix_k.dim(1)),
        group(q_heads / kv_heads),
        dim(problem.q.dim(2)),
        value_dim(problem.prefix_v.dim(2)),
        depth(problem.depth()) {}
};

// A tensor of a call beside the problem's own: what forward writes, what backward takes and adds to.
struct Argument {
  const char* name;
  ConstTensor tensor;
};
using Arguments = std::span<const Argument>;

// One way to run a backend on one kind of device. A backend has a table of them (suffix_attention.cpp).
struct Implementation {
  const char* name;  // its folder's
  Device device;
  std::string (*why_not)(const SuffixAttention&, Arguments);  // one sentence, or empty: it takes them
  int64_t (*scratch_bytes)(const SuffixAttention&);
  // With one row at least.
  void (*forward)(Exec&, const SuffixAttention&, const Tensor& o, const Tensor& lse);
  void (*backward)(Exec&, const SuffixAttention&, const SuffixAttentionBackward&);
};

// Each folder defines its own.
namespace cpu {
extern const Implementation kFused, kMerge, kMasked, kDense;
}
namespace gpu {
extern const Implementation kDense;
}
namespace gpu::sm80 {
extern const Implementation kFused, kMerge, kMasked;
}

}  // namespace eyrie
