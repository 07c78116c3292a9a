#include <algorithm>
#include <utility>

#include "model/columns.h"
#include "model/decoder.h"
#include "ops/activation.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rows.h"

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

constexpr int64_t kMlpRows = 16384;  // at a time: their product and its gradient are [rows, I] each

struct MlpBackward {
  Tensor gate, up;      // as forward left them; their gradients afterwards
  ConstTensor y, d_h2;  // [rows, H]
  Tensor d_y;           // [rows, H] written
};

void mlp_backward(Exec& exec, const DecoderTensors<ConstTensor>& tensors, const DecoderTensors<Tensor>& gradients,
                  const MlpBackward& in) {
  const ScratchScope scope(exec.scratch);
  const Tensor product = exec.take(in.gate.shape), d_product = exec.take(in.gate.shape);
  silu_multiply(exec, {.gate = in.gate, .up = in.up, .product = product});
  back_through(exec, in.d_h2, product, tensors.down, gradients.down, d_product);
  silu_multiply_backward(exec,
                         {.gate = in.gate, .up = in.up, .d_product = d_product, .d_gate = in.gate, .d_up = in.up});
  back_through(exec, in.gate, in.y, tensors.gate, gradients.gate, in.d_y);
  back_through(exec, in.up, in.y, tensors.up, gradients.up, in.d_y, Into::accumulate);
}

}  // namespace

void before_attention_backward(Exec& exec, const DecoderConfig& config, const DecoderTensors<ConstTensor>& tensors,
                               const RopeTable& rope, const BeforeAttentionBackward& in,
                               const DecoderTensors<Tensor>& gradients) {
  expect_shape("x", in.x, {-1, config.input_width});
  expect_shape("d_x", in.d_x, in.x.shape);
  const ScratchScope scope(exec.scratch);
  Into into = in.into;
  const auto through = [&](const Tensor& d_heads, const LinearTensors<ConstTensor>& weights,
                           const LinearTensors<Tensor>& gradient) {
    if (!d_heads.defined()) return;
    back_through(exec, flat(d_heads), in.x, weights, gradient, in.d_x, std::exchange(into, Into::accumulate));
  };
  // Sums over depths arrive in f32; from here on they are activations.
  const auto narrow = [&](const Tensor& d_heads) {
    return !d_heads.defined() || d_heads.dtype == exec.activations ? d_heads : exec.take(d_heads.shape);
  };
  const auto back = [&](const Tensor& from, const Tensor& d_heads, const ConstTensor& raw, const ConstTensor& norm,
                        const Tensor& d_norm) {
    if (!from.defined()) return;
    apply_rope(exec, {.table = rope, .positions = in.positions, .x = from, .y = d_heads, .turn = Turn::backward});
    if (config.qk_norm) norm_heads_backward(exec, config, raw, norm, d_heads, d_norm);
  };
  const Tensor d_q = narrow(in.d_q), d_k = narrow(in.d_k), d_v = narrow(in.d_v);
  back(in.d_q, d_q, in.raw_q, tensors.q_norm, gradients.q_norm);
  back(in.d_k, d_k, in.raw_k, tensors.k_norm, gradients.k_norm);
  if (d_v.data != in.d_v.data) convert(exec, {.from = flat(in.d_v), .to = flat(d_v)});
  through(d_q, tensors.q, gradients.q);
  through(d_k, tensors.k, gradients.k);
  through(d_v, tensors.v, gradients.v);
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
  const Tensor y = exec.take({rows, config.hidden}), d_y = exec.take(y.shape);
  rms_norm(exec, {.x = saved.h1, .weight = tensors.post_norm, .eps = config.norm_eps, .y = y});
  for (int64_t begin = 0; begin < rows; begin += kMlpRows) {
    const int64_t end = std::min(rows, begin + kMlpRows);
    mlp_backward(exec, tensors, gradients,
                 {.gate = saved.gate.slice(begin, end),
                  .up = saved.up.slice(begin, end),
                  .y = y.slice(begin, end),
                  .d_h2 = in.d_h2.slice(begin, end),
                  .d_y = d_y.slice(begin, end)});
  }
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
