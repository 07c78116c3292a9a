#include "model/target.h"

#include <fmt/core.h>

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

// Copies the residual stream leaving `layer` to the places of the taps that ask for it.
void keep_taps(int64_t layer, const ConstTensor& h, const TargetRows& in) {
  const int64_t width = h.dim(1);
  for (int64_t tap = 0; in.taps.defined() && tap < std::ssize(in.tap_ids); ++tap)
    if (in.tap_ids[static_cast<size_t>(tap)] == layer) copy(h, columns(in.taps, tap * width, (tap + 1) * width));
}

// Positions and starts of packed tokens, all [T] i32.
struct Packing {
  Tensor token, start, position;
};

Packing take_packing(Scratch& scratch, const PackedTokens& in) {
  const int64_t tokens = in.token_ids.dim(0), sequences = in.cu_seqlens.dim(0) - 1;
  const Packing made{scratch.take(DType::i32, {tokens}), scratch.take(DType::i32, {tokens}),
                     scratch.take(DType::i32, {tokens})};
  const int32_t* ends = in.cu_seqlens.as<int32_t>();
  expect_packed({ends, static_cast<size_t>(sequences + 1)}, tokens);
  for (int64_t sequence = 0; sequence < sequences; ++sequence) {
    for (int32_t t = ends[sequence]; t < ends[sequence + 1]; ++t) {
      made.token.as<int32_t>()[t] = t;
      made.start.as<int32_t>()[t] = ends[sequence];
      made.position.as<int32_t>()[t] = t - ends[sequence];
    }
  }
  return made;
}

}  // namespace

void target_forward(Exec& exec, const Target& target, const AttentionRows& attention, const TargetRows& in) {
  check(target, in);
  const TargetConfig& config = target.config;
  const DecoderConfig& layer = config.decoder;
  const int64_t rows = in.token_ids.dim(0);
  const ScratchScope scope(exec.scratch);
  const auto take = [&](const Shape& shape) { return exec.scratch.take(DType::f32, shape); };
  const Tensor h = take({rows, layer.hidden}), x = take({rows, layer.hidden});
  const Tensor q = take({rows, layer.q_heads, layer.head_dim}), out = take(q.shape);
  const Tensor k = take({rows, layer.kv_heads, layer.head_dim}), v = take(k.shape);
  const AfterAttentionSaved saved = take_after_attention(exec.scratch, layer, rows);
  embed(exec, target.tensors.embedding, in.token_ids, h);
  for (int64_t i = 0; i < config.layers; ++i) {
    const DecoderTensors<ConstTensor>& tensors = target.tensors.layers[static_cast<size_t>(i)];
    rms_norm(exec, h, tensors.input_norm, layer.norm_eps, x);
    before_attention(exec, layer, tensors, target.rope, {x, in.positions, q, k, v});
    attend(exec, attention, i, {layer.softmax_scale()}, q, k, v, out);
    after_attention(exec, layer, tensors, {h, out.reshape({rows, layer.q_heads * layer.head_dim}), h}, saved);
    keep_taps(i, h, in);
  }
  rms_norm(exec, h, target.tensors.norm, layer.norm_eps, in.last_hidden);
}

void forward_packed(Exec& exec, const Target& target, const PackedTokens& in, std::span<const int64_t> tap_ids,
                    Tensor taps, Tensor last_hidden) {
  expect_dtype("token_ids", in.token_ids, {DType::i32});
  expect_dtype("cu_seqlens", in.cu_seqlens, {DType::i32});
  const ScratchScope scope(exec.scratch);
  const Packing packing = take_packing(exec.scratch, in);
  target_forward(exec, target, PackedRows{packing.token, packing.start},
                 {in.token_ids, packing.position, tap_ids, taps, last_hidden});
}

void target_logits(Exec& exec, const Target& target, ConstTensor last_hidden, Tensor logits) {
  linear(exec, last_hidden, {.weight = target.tensors.lm_head, .y = logits});
}

}  // namespace eyrie
