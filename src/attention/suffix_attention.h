// attention/suffix_attention.h: attention of one TTT depth.
//
// Row r stands at token t = token[r] of a sequence that starts at s = start[r]. Under one softmax it sees
//   the prefix   keys K0[s..t]      (causal, its own sequence only)
//   its suffix   keys K1[r]..Kn[r]  (one per earlier depth, its own row only)
//     lse = log(sum of exp(scale q.k) over all of them),   o = sum of exp(scale q.k - lse) v
// n = 0 is plain causal attention over packed sequences: the target's training forward.
// Query head h reads key-value head h / (q_heads / kv_heads). Any strides, the last dimension contiguous.
#pragma once
#include <string>
#include <string_view>

#include "tensor/exec.h"
#include "tensor/tensor.h"

namespace eyrie {

struct SuffixAttention {
  ConstTensor q;                // [rows, q_heads, dim]           f32; rows may be 0
  ConstTensor prefix_k;         // [tokens, kv_heads, dim]        f32; tokens that no row sees are never read
  ConstTensor prefix_v;         // [tokens, kv_heads, value_dim]  f32
  ConstTensor suffix_k = {};    // [n, suffix_rows, kv_heads, dim]        f32, n <= 16; left undefined when n = 0
  ConstTensor suffix_v = {};    // [n, suffix_rows, kv_heads, value_dim]
  ConstTensor token;            // [rows] i32, ascending; need not be 0..rows-1
  ConstTensor start;            // [rows] i32, the first token of the row's sequence
  ConstTensor suffix_row = {};  // [rows] i32, ascending: row r's place in every suffix block; undefined when n = 0
  float scale = 0;              // multiplies q.k

  int64_t depth() const { return suffix_k.defined() ? suffix_k.dim(0) : 0; }  // n
};

struct SuffixAttentionBackward {
  ConstTensor o, lse;             // forward's, merged: a part's own lse makes d_q and d_prefix_k wrong, silently
  ConstTensor d_o;                // like o
  Tensor d_q;                     // like q, overwritten
  Tensor d_prefix_k, d_prefix_v;  // like prefix_k and prefix_v, f32, accumulated: all depths add into the same prefix
  Tensor d_suffix_k = {}, d_suffix_v = {};  // like suffix_k and suffix_v, f32, accumulated; undefined when n = 0
};

// `dense` keeps explicit scores (any shape, slow: the oracle); `fused` is one tiled loop with the suffix folded in,
// O(tokens) memory. `automatic` takes the first of the table that takes the problem.
enum class AttentionBackend : uint8_t { automatic, fused, dense };
AttentionBackend find_backend(std::string_view name);  // "auto" and the names above; Error{usage} lists them
std::string_view name(AttentionBackend backend);

// The backend that will run: never `automatic`. Error{input} with every backend's reason when none fits, or when the
// one named does not.
AttentionBackend choose_backend(AttentionBackend wanted, const SuffixAttention& problem);
// What forward and backward take from exec.scratch at most.
int64_t scratch_bytes(AttentionBackend backend, const SuffixAttention& problem);

// Writes o [rows, q_heads, value_dim] and the merged lse [rows, q_heads] (f32, natural log). A row of o and lse is
// bitwise the same whatever else the batch holds. Throws Error{input} naming the tensor, what was expected and what was
// found.
void forward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem, const Tensor& o, const Tensor& lse);
void backward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem,
              const SuffixAttentionBackward& grad);

}  // namespace eyrie
