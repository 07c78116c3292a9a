#include "model/target.h"

#include <fmt/core.h>

#include <algorithm>

#include "model/columns.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "tensor/packed.h"

namespace eyrie {
namespace {

void check(const Target& target, const TargetRows& in) {
  const int64_t rows = in.token_ids.dim(0), hidden = target.config.decoder.hidden;
  expect_dtype("token_ids", in.token_ids, {DType::i32});
  expect_shape("token_ids", in.token_ids, {-1});
  expect_shape("positions", in.positions, {rows});
  expect_shape("last_hidden", in.last_hidden, {rows, hidden});
  if (in.taps.defined()) expect_shape("taps", in.taps, {rows, static_cast<int64_t>(in.tap_ids.size()) * hidden});
  for (const int64_t id : in.tap_ids)
    if (id < 0 || id >= target.config.layers)
      throw Error(ErrorKind::input, "tap_ids",
                  fmt::format("expected ids from 0 to {}, found {}", target.config.layers - 1, id));
}

// Indices of packed tokens, all [T] i32.
struct Packing {
  ConstTensor token_id, token, start, position;
};

Packing make_packing(Exec& exec, HostArrays& arrays, const PackedTokens& in) {
  const auto tokens = std::ssize(in.token_ids);
  expect_packed(in.cu_seqlens, tokens);
  const auto take = [&] { return arrays.take<int32_t>(tokens); };
  const auto token_id = take(), token = take(), start = take(), position = take();
  std::ranges::copy(in.token_ids, token_id.begin());
  for (size_t sequence = 0; sequence + 1 < in.cu_seqlens.size(); ++sequence) {
    const int32_t begin = in.cu_seqlens[sequence];
    for (int32_t t = begin; t < in.cu_seqlens[sequence + 1]; ++t) {
      const auto at = static_cast<size_t>(t);
      token[at] = t, start[at] = begin, position[at] = t - begin;
    }
  }
  arrays.send(exec);
  return {arrays.there(token_id), arrays.there(token), arrays.there(start), arrays.there(position)};
}

}  // namespace

void target_forward(Exec& exec, const Target& target, const AttentionRows& attention, const TargetRows& in) {
  check(target, in);
  const TargetConfig& config = target.config;
  const DecoderConfig& layer = config.decoder;
  const int64_t rows = in.token_ids.dim(0);
  const ScratchScope scope(exec.scratch);
  const Tensor h = exec.take({rows, layer.hidden}), x = exec.take(h.shape);
  const Tensor q = exec.take({rows, layer.q_heads, layer.head_dim}), out = exec.take(q.shape);
  const Tensor k = exec.take({rows, layer.kv_heads, layer.head_dim}), v = exec.take(k.shape);
  const AfterAttentionSaved saved = take_after_attention(exec, layer, rows);
  embed(exec, {.table = target.tensors.embedding, .ids = in.token_ids, .y = h});
  for (int64_t i = 0; i < config.layers; ++i) {
    const DecoderTensors<ConstTensor>& tensors = target.tensors.layers[static_cast<size_t>(i)];
    rms_norm(exec, {.x = h, .weight = tensors.input_norm, .eps = layer.norm_eps, .y = x});
    before_attention(exec, layer, tensors, target.rope, {x, in.positions, q, k, v});
    attend(exec, attention, i, {layer.softmax_scale()}, q, k, v, out);
    after_attention(exec, layer, tensors, {h, flat(out), h}, saved);
    for (size_t tap = 0; in.taps.defined() && tap < in.tap_ids.size(); ++tap) {
      const int64_t column = static_cast<int64_t>(tap) * layer.hidden;
      if (in.tap_ids[tap] == i) copy(exec, h, columns(in.taps, column, column + layer.hidden));
    }
  }
  rms_norm(exec, {.x = h, .weight = target.tensors.norm, .eps = layer.norm_eps, .y = in.last_hidden});
}

void forward_packed(Exec& exec, HostArrays& arrays, const Target& target, const PackedTokens& in,
                    std::span<const int64_t> tap_ids, Tensor taps, Tensor last_hidden) {
  arrays.clear();
  const Packing packing = make_packing(exec, arrays, in);
  const ScratchScope scope(exec.scratch);
  target_forward(exec, target, PackedRows{packing.token, packing.start},
                 {packing.token_id, packing.position, tap_ids, taps, last_hidden});
}

void target_logits(Exec& exec, const Target& target, ConstTensor last_hidden, Tensor logits) {
  linear(exec, {.x = last_hidden, .weight = target.tensors.lm_head, .y = logits});
}

}  // namespace eyrie
