// attention/backend.h: what a backend of suffix attention is, seen from inside the room. The door
// (suffix_attention.cpp) has checked every shape, dtype and index before one of these runs.
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

// A backend on one device.
struct DeviceFunctions {
  std::string (*why_not)(const SuffixAttention&, Arguments);  // one sentence, or empty: it takes them
  int64_t (*scratch_bytes)(const SuffixAttention&);
  // With one row at least.
  void (*forward)(Exec&, const SuffixAttention&, const Tensor& o, const Tensor& lse);
  void (*backward)(Exec&, const SuffixAttention&, const SuffixAttentionBackward&);
};

// Each backend's folder defines these.
namespace fused {
extern const DeviceFunctions kCpu, kCuda;
}
namespace merge {
extern const DeviceFunctions kCpu, kCuda;
}
namespace masked {
extern const DeviceFunctions kCpu, kCuda;
}
namespace dense {
extern const DeviceFunctions kCpu, kCuda;
}

struct BackendEntry {
  AttentionBackend id;
  const char* name;
  const DeviceFunctions *cpu, *cuda;  // null: not there (yet)
};

}  // namespace eyrie
