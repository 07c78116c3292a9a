// model/decoder.h: one decoder layer without its attention, as two pairs of functions; the caller puts the attention
// between (suffix attention in training, paged attention when serving). docs/math.md, "The decoder layer".
//
//   q, k, v = W x           x: the normed input [rows, input_width]; optional RMSNorm per head, then RoPE on q and k
//   h1 = h + o(attention)   h: the residual stream [rows, H]
//   h2 = h1 + down(silu(gate y) * up y),   y = RMS_post(h1)
//
// Activations in the exec's dtype; weights as ops/linear.h has them (backward on a CPU: f32).
#pragma once
#include "model/tensors.h"
#include "ops/into.h"
#include "ops/rope.h"
#include "tensor/exec.h"

namespace eyrie {

struct BeforeAttention {
  ConstTensor x;          // [rows, input_width]
  ConstTensor positions;  // [rows] i32, RoPE positions
  Tensor q;               // [rows, q_heads, head_dim] written; left undefined: not computed
  Tensor k, v;            // [rows, kv_heads, head_dim] written; left undefined: not computed
  // Like q and k, only with their norms: written, what these read, for backward. Undefined: not kept.
  Tensor raw_q = {}, raw_k = {};
};
void before_attention(Exec&, const DecoderConfig&, const DecoderTensors<ConstTensor>&, const RopeTable&,
                      const BeforeAttention&);

struct BeforeAttentionBackward {
  ConstTensor x, positions;  // as in forward
  // [rows, q_heads or kv_heads, head_dim], activations or f32; where they are activations, d_q and d_k are taken back
  // through RoPE and norm in place. Undefined: no rows.
  Tensor d_q = {}, d_k = {}, d_v = {};
  Tensor d_x;                          // [rows, input_width], written or accumulated
  ConstTensor raw_q = {}, raw_k = {};  // as forward wrote them; read with q/k norms
  Into into = Into::overwrite;
};
// Accumulates weight gradients into `gradients`.
void before_attention_backward(Exec&, const DecoderConfig&, const DecoderTensors<ConstTensor>&, const RopeTable&,
                               const BeforeAttentionBackward&, const DecoderTensors<Tensor>& gradients);

// What after_attention's backward reads again; y and the product it makes anew.
struct AfterAttentionSaved {
  Tensor h1;        // [rows, H]
  Tensor gate, up;  // [rows, I]
};
AfterAttentionSaved take_after_attention(Exec&, const DecoderConfig&, int64_t rows);

struct AfterAttention {
  ConstTensor h;          // [rows, H]
  ConstTensor attention;  // [rows, q_heads * head_dim]
  Tensor h2;              // [rows, H] written; may be h's own memory
};
void after_attention(Exec&, const DecoderConfig&, const DecoderTensors<ConstTensor>&, const AfterAttention&,
                     const AfterAttentionSaved&);

struct AfterAttentionBackward {
  ConstTensor attention;  // as in forward
  ConstTensor d_h2;       // [rows, H]
  Tensor d_h;             // [rows, H] written
  Tensor d_attention;     // [rows, q_heads * head_dim] written
};
// Their gradients stand where gate and up stood, afterwards.
void after_attention_backward(Exec&, const DecoderConfig&, const DecoderTensors<ConstTensor>&,
                              const AfterAttentionSaved&, const AfterAttentionBackward&,
                              const DecoderTensors<Tensor>& gradients);

}  // namespace eyrie
