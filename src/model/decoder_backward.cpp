#include "model/decoder.h"
#include "ops/activation.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace eyrie {
namespace {

// Gradients of y = linear(x) into the weights and into d_x.
void back_through(Exec& exec, const ConstTensor& d_y, const ConstTensor& x, const LinearTensors<ConstTensor>& layer,
                  const LinearTensors<Tensor>& gradient, const Tensor& d_x, Into into = Into::overwrite) {
  linear_backward(exec, {.d_y = d_y,
                         .x = x,
                         .weight = layer.weight,
                         .d_weight = gradient.weight,
                         .d_bias = gradient.bias,
                         .d_x = d_x,
                         .into = into});
}

// Gradients of RMSNorm over head_dim into its weight and, in place, into what it read.
void norm_heads_backward(Exec& exec, const DecoderConfig& config, const ConstTensor& raw, const ConstTensor& norm,
                         const Tensor& d_heads, const Tensor& d_norm) {
  expect_shape("raw q or k", raw, d_heads.shape);
  const Shape rows = {raw.dim(0) * raw.dim(1), raw.dim(2)};
  const Tensor d_rows = d_heads.reshape(rows);
  rms_norm_backward(exec, {.x = raw.reshape(rows),
                           .weight = norm,
                           .eps = config.norm_eps,
                           .d_y = d_rows,
                           .d_x = d_rows,
                           .d_weight = d_norm});
}

}  // namespace

void before_attention_backward(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                               const RopeTable& rope, const BeforeAttentionBackward& in,
                               const DecoderTensors<Tensor>& gradients) {
  expect_shape("x", in.x, {-1, config.input_width});
  expect_shape("d_x", in.d_x, in.x.shape);
  const auto through = [&](const Tensor& d_heads, const LinearTensors<ConstTensor>& weights,
                           const LinearTensors<Tensor>& gradient) {
    if (!d_heads.defined()) return;
    const Tensor d_y = d_heads.reshape({d_heads.dim(0), d_heads.dim(1) * d_heads.dim(2)});
    back_through(exec, d_y, in.x, weights, gradient, in.d_x, Into::accumulate);
  };
  const auto back = [&](const Tensor& d_heads, const ConstTensor& raw, const ConstTensor& norm, const Tensor& d_norm) {
    if (!d_heads.defined()) return;
    apply_rope(exec, {.table = rope, .positions = in.positions, .x = d_heads, .y = d_heads, .turn = Turn::backward});
    if (config.qk_norm) norm_heads_backward(exec, config, raw, norm, d_heads, d_norm);
  };
  back(in.d_q, in.raw_q, tensors.q_norm, gradients.q_norm);
  back(in.d_k, in.raw_k, tensors.k_norm, gradients.k_norm);
  through(in.d_q, tensors.q, gradients.q);
  through(in.d_k, tensors.k, gradients.k);
  through(in.d_v, tensors.v, gradients.v);
}

void after_attention_backward(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                              const AfterAttentionSaved& saved, const AfterAttentionBackward& in,
                              const DecoderTensors<Tensor>& gradients) {
  const int64_t rows = in.d_h2.dim(0);
  expect_shape("d_h2", in.d_h2, {rows, config.hidden});
  expect_shape("d_h", in.d_h, in.d_h2.shape);
  expect_shape("attention", in.attention, {rows, config.q_heads * config.head_dim});
  expect_shape("d_attention", in.d_attention, in.attention.shape);
  const ScratchScope scope(exec.scratch);
  const Tensor d_up = exec.scratch.take(DType::f32, {rows, config.intermediate});
  const Tensor d_gate = exec.scratch.take(DType::f32, {rows, config.intermediate});
  const Tensor d_y = exec.scratch.take(DType::f32, {rows, config.hidden});
  back_through(exec, in.d_h2, saved.product, tensors.down, gradients.down, d_gate);
  silu_multiply_backward(exec,
                         {.gate = saved.gate, .up = saved.up, .d_product = d_gate, .d_gate = d_gate, .d_up = d_up});
  back_through(exec, d_gate, saved.y, tensors.gate, gradients.gate, d_y);
  back_through(exec, d_up, saved.y, tensors.up, gradients.up, d_y, Into::accumulate);
  rms_norm_backward(exec, {.x = saved.h1,
                           .weight = tensors.post_norm,
                           .eps = config.norm_eps,
                           .d_y = d_y,
                           .added = in.d_h2,
                           .d_x = in.d_h,
                           .d_weight = gradients.post_norm});
  back_through(exec, in.d_h, in.attention, tensors.o, gradients.o, in.d_attention);
}

}  // namespace eyrie
