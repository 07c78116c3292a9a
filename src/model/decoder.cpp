#include "model/decoder.h"

#include "ops/activation.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace eyrie {
namespace {

using Weights = LinearTensors<ConstTensor>;

// [rows, heads, dim] as [rows, heads * dim], and back.
template <typename Heads>
Heads flat(const Heads& heads) {
  return heads.reshape({heads.dim(0), heads.dim(1) * heads.dim(2)});
}

void project(Exec& exec, const DecoderConfig& config, const ConstTensor& x, const Weights& weights,
             const ConstTensor& norm, const Tensor& heads) {
  linear(exec, x, weights.weight, weights.bias, flat(heads));
  if (!config.qk_norm || !norm.defined()) return;
  const Tensor rows = heads.reshape({heads.dim(0) * heads.dim(1), heads.dim(2)});
  rms_norm(exec, rows, norm, config.norm_eps, rows);
}

// y = x + linear(input).
void add_linear(Exec& exec, const ConstTensor& x, const ConstTensor& input, const Weights& weights, const Tensor& y) {
  if (y.data != x.data) copy(x, y);
  linear(exec, input, weights.weight, weights.bias, y, Into::accumulate);
}

void check(const DecoderConfig& config, const BeforeAttention& in) {
  const int64_t rows = in.x.dim(0);
  expect_dtype("x", in.x, {DType::f32});
  expect_shape("x", in.x, {-1, config.input_width});
  expect_dtype("positions", in.positions, {DType::i32});
  expect_shape("positions", in.positions, {rows});
  if (in.q.defined()) expect_shape("q", in.q, {rows, config.q_heads, config.head_dim});
  if (in.k.defined()) expect_shape("k", in.k, {rows, config.kv_heads, config.head_dim});
  if (in.v.defined()) expect_shape("v", in.v, {rows, config.kv_heads, config.head_dim});
}

}  // namespace

void before_attention(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                      const RopeTable& rope, const BeforeAttention& in) {
  check(config, in);
  if (in.q.defined()) {
    project(exec, config, in.x, tensors.q, tensors.q_norm, in.q);
    apply_rope(exec, rope, in.positions, in.q, Turn::forward);
  }
  if (in.k.defined()) {
    project(exec, config, in.x, tensors.k, tensors.k_norm, in.k);
    apply_rope(exec, rope, in.positions, in.k, Turn::forward);
  }
  if (in.v.defined()) project(exec, config, in.x, tensors.v, {}, in.v);
}

AfterAttentionSaved take_after_attention(Scratch& scratch, const DecoderConfig& config, int64_t rows) {
  const auto take = [&](int64_t width) { return scratch.take(DType::f32, {rows, width}); };
  return {.h1 = take(config.hidden),
          .y = take(config.hidden),
          .gate = take(config.intermediate),
          .up = take(config.intermediate),
          .product = take(config.intermediate)};
}

void after_attention(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                     const AfterAttention& in, const AfterAttentionSaved& saved) {
  const int64_t rows = in.h.dim(0);
  expect_shape("h", in.h, {rows, config.hidden});
  expect_shape("attention", in.attention, {rows, config.q_heads * config.head_dim});
  expect_shape("h2", in.h2, {rows, config.hidden});
  add_linear(exec, in.h, in.attention, tensors.o, saved.h1);
  rms_norm(exec, saved.h1, tensors.post_norm, config.norm_eps, saved.y);
  linear(exec, saved.y, tensors.gate.weight, tensors.gate.bias, saved.gate);
  linear(exec, saved.y, tensors.up.weight, tensors.up.bias, saved.up);
  silu_multiply(exec, saved.gate, saved.up, saved.product);
  add_linear(exec, saved.h1, saved.product, tensors.down, in.h2);
}

}  // namespace eyrie
