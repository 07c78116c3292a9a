// attention/suffix_attention.h: attention of one TTT depth.
//
// Row r stands at token t = token[r] of a sequence that starts at s = start[r]. Under one softmax it sees
//   the prefix   keys K0[s..t]      (causal, its own sequence only)
//   its suffix   keys K1[r]..Kn[r]  (one per earlier depth, its own row only)
//     lse = log(sum of exp(scale q.k) over all of them),   o = sum of exp(scale q.k - lse) v
// n = 0 is plain causal attention over packed sequences: the target's training forward.
// Query head h reads key-value head h / (q_heads / kv_heads). Any strides, the last dimension contiguous.
//
// All tensors are on one device. x is the model's dtype there: f32 on the CPU; bf16 or f16 on a GPU, f32 by `dense`
// alone. token, start and suffix_row are checked on the CPU; on a GPU nobody reads them beforehand: they are trusted.
#pragma once
#include <string>
#include <string_view>

#include "tensor/exec.h"
#include "tensor/tensor.h"

namespace eyrie {

struct SuffixAttention {
  ConstTensor q;                // [rows, q_heads, dim]           x; rows may be 0
  ConstTensor prefix_k;         // [tokens, kv_heads, dim]        x; tokens that no row sees are never read
  ConstTensor prefix_v;         // [tokens, kv_heads, value_dim]  x
  ConstTensor suffix_k = {};    // [n, suffix_rows, kv_heads, dim]        x, n <= 16; left undefined when n = 0
  ConstTensor suffix_v = {};    // [n, suffix_rows, kv_heads, value_dim]  x
  ConstTensor token;            // [rows] i32, strictly ascending; need not be 0..rows-1
  ConstTensor start;            // [rows] i32, the first token of the row's sequence
  ConstTensor suffix_row = {};  // [rows] i32, strictly ascending: its place in every suffix block; undefined when n = 0
  float scale = 0;              // multiplies q.k
  // The caller knows that token[r] = r and start[r] = 0, for every token: `merge` may take cuDNN's kernel for the
  // prefix on a GPU where it is found and faster (Hopper). Its bits are not those of the packed sequence.
  bool whole_sequence = false;

  int64_t depth() const { return suffix_k.defined() ? suffix_k.dim(0) : 0; }  // n
};

struct SuffixAttentionBackward {
  ConstTensor o, lse;             // forward's, merged: a part's own lse makes d_q and d_prefix_k wrong, silently
  ConstTensor d_o;                // like o
  Tensor d_q;                     // like q, overwritten
  Tensor d_prefix_k, d_prefix_v;  // shaped as prefix_k and prefix_v, f32, accumulated: all depths add into one prefix
  Tensor d_suffix_k = {}, d_suffix_v = {};  // shaped as suffix_k and suffix_v, f32, accumulated; undefined when n = 0
  bool deterministic = false;               // the same bits every time. The CPU has no other way
};

// `fused` is one tile loop that starts from the suffix as its softmax state; `merge` the plain causal loop over the
// prefix, its lse merged with the suffix; `masked` the loop over a BlockMask's tiles of all keys; `dense` keeps
// explicit scores (any shape, slow: the oracle). `automatic` takes the first of them that takes the problem.
enum class AttentionBackend : uint8_t { automatic, fused, merge, masked, dense };
AttentionBackend find_backend(std::string_view name);  // "auto" and the names above; Error{usage} lists them
std::string_view name(AttentionBackend backend);

// The backend that will run: never `automatic`. Error{input} when the one named does not take the problem, with the
// names of those that do. When `automatic` cannot have its first choice, one line of the log says why.
AttentionBackend choose_backend(AttentionBackend wanted, const SuffixAttention& problem);
// What the two below take from exec.scratch at most.
int64_t scratch_bytes(AttentionBackend backend, const SuffixAttention& problem);

// Writes o [rows, q_heads, value_dim] (x) and the merged lse [rows, q_heads] (f32, natural log). Inputs are finite;
// keys and values that no row sees may hold anything. A row of o and lse is bitwise the same whatever else the batch
// holds (masked: where its sequence begins at a multiple of a tile of keys). Throws Error{input} naming the tensor,
// what was expected and what was found.
void suffix_attention(Exec& exec, AttentionBackend backend, const SuffixAttention& problem, const Tensor& o,
                      const Tensor& lse);
void suffix_attention_backward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem,
                               const SuffixAttentionBackward& grad);

}  // namespace eyrie
