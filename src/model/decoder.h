// model/decoder.h: one decoder layer without its attention, as two pairs of functions; the caller puts the attention
// between (suffix attention in training, paged attention when serving). docs/math.md, "The decoder layer".
//
//   q, k, v = W x           x: the normed input [rows, input_width]; optional RMSNorm per head, then RoPE on q and k
//   h1 = h + o(attention)   h: the residual stream [rows, H]
//   h2 = h1 + down(silu(gate y) * up y),   y = RMS_post(h1)
//
// All activations f32; weights f32, bf16 or f16 (backward: f32).
#pragma once
#include "model/tensors.h"
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
  Tensor d_q;                // [rows, q_heads, head_dim], taken back through RoPE and norm in place; undefined: no rows
  Tensor d_k, d_v;           // [rows, kv_heads, head_dim], d_k taken back likewise; undefined: no rows
  Tensor d_x;                // [rows, input_width], accumulated
  ConstTensor raw_q = {}, raw_k = {};  // as forward wrote them; read with q/k norms
};
// Accumulates weight gradients into `gradients`.
void before_attention_backward(Exec&, const DecoderConfig&, const DecoderTensors<ConstTensor>&, const RopeTable&,
                               const BeforeAttentionBackward&, const DecoderTensors<Tensor>& gradients);

// What after_attention's backward reads again.
struct AfterAttentionSaved {
  Tensor h1;        // [rows, H]
  Tensor y;         // [rows, H]
  Tensor gate, up;  // [rows, I]
  Tensor product;   // [rows, I], silu(gate) * up
};
AfterAttentionSaved take_after_attention(Scratch&, const DecoderConfig&, int64_t rows);

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
void after_attention_backward(Exec&, const DecoderConfig&, const DecoderTensors<ConstTensor>&,
                              const AfterAttentionSaved&, const AfterAttentionBackward&,
                              const DecoderTensors<Tensor>& gradients);

}  // namespace eyrie
