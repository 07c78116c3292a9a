// attention/cost.h: what suffix attention must move and multiply, whatever computes it: once for each pair of a query
// head and a key that it sees, every byte that is read or written once. What the launches state (cuda/launch.cuh).
#pragma once
#include "attention/backend.h"
#include "cuda/profile.h"

namespace eyrie {

class AttentionCost {
 public:
  // Reads token and start, on a GPU when exec's work so far is done.
  AttentionCost(Exec& exec, const SuffixAttention& problem);
  // For the launches of a call: all costs are zero, and nothing is read, unless the stream is profiled.
  static AttentionCost of(Exec& exec, const SuffixAttention& problem);

  // The loops over keys: the prefix, and `depth` suffix keys of each row.
  cuda::LaunchCost forward(int64_t depth) const;
  cuda::LaunchCost backward(int64_t depth) const;  // from lse and delta; d_q is summed in an f32 workspace
  // What is local to a row (gpu/rows.cuh), with `depth` suffix keys.
  cuda::LaunchCost prepare(int64_t depth) const;
  cuda::LaunchCost merge(int64_t depth) const;
  cuda::LaunchCost finish() const;
  // The two kernels of gpu/dense.cu.
  cuda::LaunchCost dense_rows() const;
  cuda::LaunchCost dense_keys() const;

 private:
  AttentionCost() = default;

  double rows_ = 0, pairs_ = 0;        // of query heads: rows, pairs with a key of the prefix
  double keys_ = 0, suffix_keys_ = 0;  // of key-value heads: keys that some row sees; of one depth
  double dim_ = 0, value_dim_ = 0, element_ = 0, depth_ = 0;  // element: bytes of a number of the model's dtype
};

}  // namespace eyrie
