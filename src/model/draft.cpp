#include "model/draft.h"

#include "model/columns.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace eyrie {

ConstTensor fc(Exec& exec, const Draft& draft, ConstTensor taps, Tensor h) {
  const DraftConfig& config = draft.config;
  const int64_t width = config.target_hidden;
  const float eps = config.decoder.norm_eps;
  expect_shape("taps", taps, {-1, config.taps() * width});
  expect_shape("h", h, {taps.dim(0), config.decoder.hidden});
  ConstTensor read = taps;
  if (config.fc_norm || config.norm_before_fc) {
    const Tensor normed = exec.take(taps.shape);
    if (config.norm_before_fc)
      rms_norm(exec, {.x = taps, .weight = draft.tensors.norm_before_fc, .eps = eps, .y = normed});
    for (int64_t i = 0; config.fc_norm && i < config.taps(); ++i)
      rms_norm(exec, {.x = columns(taps, i * width, (i + 1) * width),
                      .weight = draft.tensors.fc_norm[static_cast<size_t>(i)],
                      .eps = eps,
                      .y = columns(normed, i * width, (i + 1) * width)});
    read = normed;
  }
  linear(exec, {.x = read, .weight = draft.tensors.fc, .y = h});
  return read;
}

ConstTensor depth_input(Exec& exec, const Draft& draft, const DepthInput& in) {
  const DraftConfig& config = draft.config;
  const DraftTensors<ConstTensor>& tensors = draft.tensors;
  const int64_t rows = in.token_ids.dim(0), hidden = config.decoder.hidden;
  expect_shape("h", in.h, {rows, hidden});
  expect_shape("x", in.x, {rows, 2 * hidden});
  const float eps = config.decoder.norm_eps;
  const Tensor right = columns(in.x, hidden, 2 * hidden);
  rms_norm(exec, {.x = in.h, .weight = tensors.hidden_norm, .eps = eps, .y = right});
  ConstTensor residual = in.h;
  if (config.norm_before_residual) {
    const Tensor normed = exec.take({rows, hidden});
    copy(exec, right, normed);
    residual = normed;
  }
  const ScratchScope scope(exec.scratch);
  const Tensor e = exec.take({rows, hidden});
  embed(exec, {.table = draft.embedding, .ids = in.token_ids, .y = e});
  rms_norm(exec, {.x = e, .weight = tensors.layer.input_norm, .eps = eps, .y = columns(in.x, 0, hidden)});
  return residual;
}

Tensor depth_output(Exec& exec, const Draft& draft, Tensor h2, Tensor normed) {
  rms_norm(exec, {.x = h2, .weight = draft.tensors.norm, .eps = draft.config.decoder.norm_eps, .y = normed});
  return draft.config.norm_output ? normed : h2;
}

Tensor draft_depth(Exec& exec, const Draft& draft, const AttentionRows& attention, const DraftDepth& in) {
  const DecoderConfig& layer = draft.config.decoder;
  const int64_t rows = in.token_ids.dim(0), asking = in.h2.dim(0), first = rows - asking;
  expect_shape("h2", in.h2, {asking, layer.hidden});
  expect_shape("normed", in.normed, {asking, layer.hidden});
  const ScratchScope scope(exec.scratch);
  const Tensor x = exec.take({rows, layer.input_width});
  const Tensor q = exec.take({asking, layer.q_heads, layer.head_dim}), out = exec.take(q.shape);
  const Tensor k = exec.take({rows, layer.kv_heads, layer.head_dim}), v = exec.take(k.shape);
  const ConstTensor residual = depth_input(exec, draft, {in.token_ids, in.h, x});
  const auto project = [&](int64_t begin, int64_t end, const Tensor& queries) {
    if (begin == end) return;
    before_attention(
        exec, layer, draft.tensors.layer, draft.rope,
        {x.slice(begin, end), in.positions.slice(begin, end), queries, k.slice(begin, end), v.slice(begin, end)});
  };
  project(0, first, {});
  project(first, rows, q);
  attend(exec, attention, 0, {layer.softmax_scale()}, q, k, v, out);
  if (asking == 0) return in.h2;
  after_attention(exec, layer, draft.tensors.layer, {residual.slice(first, rows), flat(out), in.h2},
                  take_after_attention(exec, layer, asking));
  return depth_output(exec, draft, in.h2, in.normed);
}

void draft_logits(Exec& exec, const Draft& draft, ConstTensor normed, Tensor logits) {
  linear(exec, {.x = normed, .weight = draft.tensors.lm_head, .y = logits});
}

}  // namespace eyrie
