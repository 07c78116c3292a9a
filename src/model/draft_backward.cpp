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
  if (!config.fc_norm && !config.norm_before_fc)
    return linear_backward(exec, {.d_y = d_h, .x = taps, .d_weight = gradients.fc});
  const ScratchScope scope(exec.scratch);
  const Tensor d_normed = exec.take(taps.shape), d_taps = exec.take(taps.shape);
  linear_backward(exec, {.d_y = d_h, .x = read, .weight = tensors.fc, .d_weight = gradients.fc, .d_x = d_normed});
  const float eps = config.decoder.norm_eps;
  if (config.norm_before_fc)
    rms_norm_backward(exec, {.x = taps,
                             .weight = tensors.norm_before_fc,
                             .eps = eps,
                             .d_y = d_normed,
                             .d_x = d_taps,
                             .d_weight = gradients.norm_before_fc});
  for (int64_t i = 0; config.fc_norm && i < config.taps(); ++i) {
    const auto part = [&](const auto& matrix) { return columns(matrix, i * width, (i + 1) * width); };
    const auto tap = static_cast<size_t>(i);
    rms_norm_backward(exec, {.x = part(taps),
                             .weight = tensors.fc_norm[tap],
                             .eps = eps,
                             .d_y = part(d_normed),
                             .d_x = part(d_taps),
                             .d_weight = gradients.fc_norm[tap]});
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
  const Tensor e = exec.take({rows, hidden});
  embed(exec, {.table = draft.embedding, .ids = in.token_ids, .y = e});
  rms_norm_backward(exec, {.x = e,
                           .weight = tensors.layer.input_norm,
                           .eps = eps,
                           .d_y = columns(in.d_x, 0, hidden),
                           .d_x = e,
                           .d_weight = gradients.layer.input_norm});
  // The embedding is frozen: its gradient is not wanted, and its memory free.
  RmsNormBackward into_h = {.x = in.h,
                            .weight = tensors.hidden_norm,
                            .eps = eps,
                            .d_y = columns(in.d_x, hidden, 2 * hidden),
                            .d_x = in.d_h,
                            .d_weight = gradients.hidden_norm};
  if (config.norm_before_residual) {
    copy(exec, in.d_residual, e);
    add(exec, {.from = into_h.d_y, .to = e});
    into_h.d_y = e;
  } else {
    into_h.added = in.d_residual;
  }
  rms_norm_backward(exec, into_h);
}

Tensor depth_output_backward(Exec& exec, const Draft& draft, const DepthOutputBackward& in,
                             const DraftTensors<Tensor>& gradients) {
  const DraftConfig& config = draft.config;
  Tensor d_h2 = in.d_state;
  if (config.norm_output) {
    add(exec, {.from = in.d_state, .to = in.d_normed});
    d_h2 = exec.take(in.d_state.shape);
  }
  rms_norm_backward(exec, {.x = in.h2,
                           .weight = draft.tensors.norm,
                           .eps = config.decoder.norm_eps,
                           .d_y = in.d_normed,
                           .added = config.norm_output ? Tensor() : d_h2,
                           .d_x = d_h2,
                           .d_weight = gradients.norm});
  return d_h2;
}

}  // namespace eyrie
