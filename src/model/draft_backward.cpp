#include "model/columns.h"
#include "model/draft.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rows.h"

namespace eyrie {
void fc_backward(Exec& exec, const Draft& draft, ConstTensor taps, ConstTensor read, ConstTensor d_h,
                 const DraftTensors<Tensor>& gradients) {
  const DraftConfig& config = draft.config;
  const DraftTensors<ConstTensor>& tensors = draft.tensors;
  const int64_t width = config.target_hidden;
  expect_shape("taps", taps, {d_h.dim(0), config.taps() * width});
  expect_shape("d_h", d_h, {-1, config.decoder.hidden});
  linear_backward_weight(exec, d_h, read, gradients.fc, {});
  if (read.data == taps.data) return;
  const ScratchScope scope(exec.scratch);
  const Tensor d_normed = exec.scratch.take(DType::f32, taps.shape), d_taps = exec.scratch.take(DType::f32, taps.shape);
  linear_backward_input(exec, d_h, tensors.fc, d_normed, Into::overwrite);
  const float eps = config.decoder.norm_eps;
  if (config.norm_before_fc)
    rms_norm_backward(exec, taps, tensors.norm_before_fc, eps, d_normed, d_taps, Into::overwrite,
                      gradients.norm_before_fc);
  for (int64_t i = 0; config.fc_norm && i < config.taps(); ++i) {
    const auto part = [&](const auto& matrix) { return columns(matrix, i * width, (i + 1) * width); };
    const auto tap = static_cast<size_t>(i);
    rms_norm_backward(exec, part(taps), tensors.fc_norm[tap], eps, part(d_normed), part(d_taps), Into::overwrite,
                      gradients.fc_norm[tap]);
  }
}

void depth_input_backward(Exec& exec, const Draft& draft, const DepthInputBackward& in,
                          const DraftTensors<Tensor>& gradients) {
  const DraftConfig& config = draft.config;
  const DraftTensors<ConstTensor>& tensors = draft.tensors;
  const int64_t rows = in.token_ids.dim(0), hidden = config.decoder.hidden;
  const float eps = config.decoder.norm_eps;
  expect_shape("d_x", in.d_x, {rows, 2 * hidden});
  expect_shape("d_residual", in.d_residual, {rows, hidden});
  expect_shape("d_h", in.d_h, {rows, hidden});
  const ScratchScope scope(exec.scratch);
  const Tensor e = exec.scratch.take(DType::f32, {rows, hidden}), d_e = exec.scratch.take(DType::f32, {rows, hidden});
  embed(exec, draft.embedding, in.token_ids, e);
  rms_norm_backward(exec, e, tensors.layer.input_norm, eps, columns(in.d_x, 0, hidden), d_e, Into::overwrite,
                    gradients.layer.input_norm);
  const ConstTensor d_right = columns(in.d_x, hidden, 2 * hidden);
  if (!config.norm_before_residual) {
    copy(in.d_residual, in.d_h);
    return rms_norm_backward(exec, in.h, tensors.hidden_norm, eps, d_right, in.d_h, Into::accumulate,
                             gradients.hidden_norm);
  }
  const Tensor d_normed = d_e;  // the embedding is frozen: its gradient is not wanted
  copy(in.d_residual, d_normed);
  add(exec, {d_right, d_normed});
  rms_norm_backward(exec, in.h, tensors.hidden_norm, eps, d_normed, in.d_h, Into::overwrite, gradients.hidden_norm);
}

Tensor depth_output_backward(Exec& exec, const Draft& draft, const DepthOutputBackward& in,
                             const DraftTensors<Tensor>& gradients) {
  const DraftConfig& config = draft.config;
  Tensor d_h2 = in.d_state;
  if (config.norm_output) {
    add(exec, {in.d_state, in.d_normed});
    d_h2 = exec.scratch.take(DType::f32, in.d_state.shape);
  }
  rms_norm_backward(exec, in.h2, draft.tensors.norm, config.decoder.norm_eps, in.d_normed, d_h2,
                    config.norm_output ? Into::overwrite : Into::accumulate, gradients.norm);
  return d_h2;
}

}  // namespace eyrie
