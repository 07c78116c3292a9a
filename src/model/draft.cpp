#include "model/draft.h"

#include "model/columns.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace eyrie {

FcSaved take_fc(Scratch& scratch, const DraftConfig& config, int64_t rows) {
  FcSaved saved;
  if (config.fc_norm || config.norm_before_fc)
    saved.normed_taps = scratch.take(DType::f32, {rows, config.taps() * config.target_hidden});
  return saved;
}

void fc(Exec& exec, const DraftConfig& config, const DraftTensors<ConstTensor>& tensors, ConstTensor taps,
        const FcSaved& saved, Tensor h) {
  const int64_t width = config.target_hidden;
  expect_dtype("taps", taps, {DType::f32});
  expect_shape("taps", taps, {-1, config.taps() * width});
  expect_shape("h", h, {taps.dim(0), config.decoder.hidden});
  const float eps = config.decoder.norm_eps;
  if (config.norm_before_fc)
    rms_norm(exec, {.x = taps, .weight = tensors.norm_before_fc, .eps = eps, .y = saved.normed_taps});
  for (int64_t i = 0; config.fc_norm && i < config.taps(); ++i)
    rms_norm(exec, {.x = columns(taps, i * width, (i + 1) * width),
                    .weight = tensors.fc_norm[static_cast<size_t>(i)],
                    .eps = eps,
                    .y = columns(saved.normed_taps, i * width, (i + 1) * width)});
  linear(exec,
         {.x = saved.normed_taps.defined() ? ConstTensor(saved.normed_taps) : taps, .weight = tensors.fc, .y = h});
}

void depth_input(Exec& exec, const DraftConfig& config, const DraftTensors<ConstTensor>& tensors,
                 const DepthInput& in) {
  const int64_t rows = in.token_ids.dim(0), hidden = config.decoder.hidden;
  expect_shape("embedding", in.embedding, {-1, hidden});
  expect_shape("h", in.h, {rows, hidden});
  expect_shape("x", in.x, {rows, 2 * hidden});
  if (config.norm_before_residual) expect_shape("residual", in.residual, {rows, hidden});
  const ScratchScope scope(exec.scratch);
  const Tensor e = exec.scratch.take(DType::f32, {rows, hidden}), right = columns(in.x, hidden, 2 * hidden);
  embed(exec, {.table = in.embedding, .ids = in.token_ids, .y = e});
  const float eps = config.decoder.norm_eps;
  rms_norm(exec, {.x = e, .weight = tensors.layer.input_norm, .eps = eps, .y = columns(in.x, 0, hidden)});
  rms_norm(exec, {.x = in.h, .weight = tensors.hidden_norm, .eps = eps, .y = right});
  if (config.norm_before_residual) copy(exec, right, in.residual);
}

void forward(Exec& exec, const Draft& draft, const DraftRows& in, const Attend& attend) {
  const DraftConfig& config = draft.config;
  const DecoderConfig& layer = config.decoder;
  const int64_t rows = in.token_ids.dim(0);
  expect_shape("next_h", in.next_h, {rows, layer.hidden});
  expect_shape("normed", in.normed, {rows, layer.hidden});
  const ScratchScope scope(exec.scratch);
  const auto take = [&](const Shape& shape) { return exec.scratch.take(DType::f32, shape); };
  const Tensor x = take({rows, layer.input_width});
  const Tensor residual = config.norm_before_residual ? take({rows, layer.hidden}) : Tensor();
  const Tensor q = take({rows, layer.q_heads, layer.head_dim}), out = take(q.shape);
  const Tensor k = take({rows, layer.kv_heads, layer.head_dim}), v = take(k.shape);
  depth_input(exec, config, draft.tensors, {in.token_ids, draft.embedding, in.h, x, residual});
  before_attention(exec, layer, draft.tensors.layer, draft.rope, {x, in.positions, q, k, v});
  attend(0, q, k, v, out);
  after_attention(exec, layer, draft.tensors.layer,
                  {config.norm_before_residual ? ConstTensor(residual) : in.h,
                   out.reshape({rows, layer.q_heads * layer.head_dim}), in.next_h},
                  take_after_attention(exec.scratch, layer, rows));
  rms_norm(exec, {.x = in.next_h, .weight = draft.tensors.norm, .eps = layer.norm_eps, .y = in.normed});
  if (config.norm_output) copy(exec, in.normed, in.next_h);
}

void draft_logits(Exec& exec, const Draft& draft, ConstTensor normed, Tensor logits) {
  linear(exec, {.x = normed, .weight = draft.tensors.lm_head, .y = logits});
}

}  // namespace eyrie
