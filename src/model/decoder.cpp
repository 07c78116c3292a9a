#include "model/decoder.h"

#include "model/columns.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace eyrie {
namespace {

using Weights = LinearTensors<ConstTensor>;

// RMSNorm over head_dim where the layer has one, from `raw` if that is kept, then RoPE.
void finish_heads(Exec& exec, const DecoderConfig& config, const RopeTable& rope, const ConstTensor& positions,
                  const ConstTensor& norm, const Tensor& heads, const Tensor& raw) {
  if (!heads.defined()) return;
  const auto rows = [](const Tensor& t) { return t.reshape({t.dim(0) * t.dim(1), t.dim(2)}); };
  if (config.qk_norm)
    rms_norm(exec, {.x = rows(raw.defined() ? raw : heads), .weight = norm, .eps = config.norm_eps, .y = rows(heads)});
  apply_rope(exec, {.table = rope, .positions = positions, .x = heads, .y = heads});
}

Linear layer_of(const Weights& weights, const ConstTensor& x, const Tensor& y, const ConstTensor& added = {}) {
  return {.x = x, .weight = weights.weight, .bias = weights.bias, .added = added, .y = y};
}

void check(const DecoderConfig& config, const BeforeAttention& in) {
  const int64_t rows = in.x.dim(0);
  expect_shape("x", in.x, {-1, config.input_width});
  expect_dtype("positions", in.positions, {DType::i32});
  expect_shape("positions", in.positions, {rows});
  if (in.q.defined()) expect_shape("q", in.q, {rows, config.q_heads, config.head_dim});
  if (in.k.defined()) expect_shape("k", in.k, {rows, config.kv_heads, config.head_dim});
  if (in.raw_q.defined()) expect_shape("raw_q", in.raw_q, in.q.shape);
  if (in.raw_k.defined()) expect_shape("raw_k", in.raw_k, in.k.shape);
  if (in.v.defined()) expect_shape("v", in.v, {rows, config.kv_heads, config.head_dim});
}

}  // namespace

void before_attention(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                      const RopeTable& rope, const BeforeAttention& in) {
  check(config, in);
  Linear layers[3];
  size_t count = 0;
  const auto add = [&](const Weights& weights, const Tensor& heads, const Tensor& raw) {
    if (heads.defined()) layers[count++] = layer_of(weights, in.x, flat(raw.defined() ? raw : heads));
  };
  add(tensors.q, in.q, in.raw_q);
  add(tensors.k, in.k, in.raw_k);
  add(tensors.v, in.v, {});
  linear(exec, std::span(layers).first(count));
  finish_heads(exec, config, rope, in.positions, tensors.q_norm, in.q, in.raw_q);
  finish_heads(exec, config, rope, in.positions, tensors.k_norm, in.k, in.raw_k);
}

AfterAttentionSaved take_after_attention(Exec& exec, const DecoderConfig& config, int64_t rows) {
  return {.h1 = exec.take({rows, config.hidden}),
          .gate = exec.take({rows, config.intermediate}),
          .up = exec.take({rows, config.intermediate})};
}

void after_attention(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                     const AfterAttention& in, const AfterAttentionSaved& saved) {
  const int64_t rows = in.h.dim(0);
  expect_shape("h", in.h, {rows, config.hidden});
  expect_shape("attention", in.attention, {rows, config.q_heads * config.head_dim});
  expect_shape("h2", in.h2, {rows, config.hidden});
  const ScratchScope scope(exec.scratch);
  const Tensor y = exec.take(saved.h1.shape), product = exec.take(saved.gate.shape);
  linear(exec, layer_of(tensors.o, in.attention, saved.h1, in.h));
  rms_norm(exec, {.x = saved.h1, .weight = tensors.post_norm, .eps = config.norm_eps, .y = y});
  linear_gated(
      exec,
      {.gate = layer_of(tensors.gate, y, saved.gate), .up = layer_of(tensors.up, y, saved.up), .product = product});
  linear(exec, layer_of(tensors.down, product, in.h2, saved.h1));
}

}  // namespace eyrie
