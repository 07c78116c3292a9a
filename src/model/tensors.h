// model/tensors.h: the one list of tensors of each model. T is ConstTensor (weights in use) or Tensor (weights being
// trained, their gradients and moments: the same struct). for_each_tensor visits what the config says the model
// has, in a fixed order, with Hugging Face's name and the shape; load, export, optimizer, checkpoint and tests walk it.
#pragma once
#include <fmt/core.h>

#include <string>
#include <type_traits>
#include <vector>

#include "model/config.h"
#include "tensor/exec.h"

namespace eyrie {

template <typename T>
struct LinearTensors {
  T weight;  // [out, in]
  T bias;    // [out], undefined when the layer has none
};

template <typename T>
struct DecoderTensors {
  T input_norm;                     // [H]
  LinearTensors<T> q, k, v, o;      // q [Hq·D, input_width], k v [Hkv·D, input_width], o [H, Hq·D]
  T q_norm, k_norm;                 // [D], only with qk_norm
  T post_norm;                      // [H]
  LinearTensors<T> gate, up, down;  // [I, H], [I, H], [H, I]
};

template <typename T>
struct TargetTensors {
  T embedding;  // [V, H]
  std::vector<DecoderTensors<T>> layers;
  T norm;     // [H]
  T lm_head;  // [V, H]; the embedding's memory when tied
};

template <typename T>
struct DraftTensors {
  std::vector<T> fc_norm;  // m of [Ht], only with fc_norm
  T norm_before_fc;        // [m·Ht], only with norm_before_fc
  T fc;                    // [H, m·Ht]
  T hidden_norm;           // [H]
  DecoderTensors<T> layer;
  T norm;     // [H]
  T lm_head;  // [Vd, H]
};

template <typename Linear, typename Function>
void for_each_linear(const std::string& name, int64_t out, int64_t in, bool bias, Linear& tensors, Function&& visit) {
  visit(name + ".weight", Shape{out, in}, tensors.weight);
  if (bias) visit(name + ".bias", Shape{out}, tensors.bias);
}

// visit(name, shape, tensor&) for each tensor of one layer, DecoderTensors<T>, const or not; `prefix` ends in a dot.
template <typename Tensors, typename Function>
void for_each_tensor(const DecoderConfig& config, const std::string& prefix, Tensors& t, Function&& visit) {
  const int64_t q_width = config.q_heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  visit(prefix + "input_layernorm.weight", Shape{config.hidden}, t.input_norm);
  for_each_linear(attention + "q_proj", q_width, config.input_width, config.qkv_bias, t.q, visit);
  for_each_linear(attention + "k_proj", kv_width, config.input_width, config.qkv_bias, t.k, visit);
  for_each_linear(attention + "v_proj", kv_width, config.input_width, config.qkv_bias, t.v, visit);
  for_each_linear(attention + "o_proj", config.hidden, q_width, config.o_bias, t.o, visit);
  if (config.qk_norm) {
    visit(attention + "q_norm.weight", Shape{config.head_dim}, t.q_norm);
    visit(attention + "k_norm.weight", Shape{config.head_dim}, t.k_norm);
  }
  visit(prefix + "post_attention_layernorm.weight", Shape{config.hidden}, t.post_norm);
  for_each_linear(mlp + "gate_proj", config.intermediate, config.hidden, config.mlp_bias, t.gate, visit);
  for_each_linear(mlp + "up_proj", config.intermediate, config.hidden, config.mlp_bias, t.up, visit);
  for_each_linear(mlp + "down_proj", config.hidden, config.intermediate, config.mlp_bias, t.down, visit);
}

// TargetTensors<T>; one that is not const gets its layers.
template <typename Tensors, typename Function>
void for_each_tensor(const TargetConfig& config, Tensors& t, Function&& visit) {
  const int64_t hidden = config.decoder.hidden;
  if constexpr (!std::is_const_v<Tensors>) t.layers.resize(static_cast<size_t>(config.layers));
  visit("model.embed_tokens.weight", Shape{config.vocabulary, hidden}, t.embedding);
  for (size_t i = 0; i < t.layers.size(); ++i)
    for_each_tensor(config.decoder, fmt::format("model.layers.{}.", i), t.layers[i], visit);
  visit("model.norm.weight", Shape{hidden}, t.norm);
  if (!config.tied_embeddings) visit("lm_head.weight", Shape{config.vocabulary, hidden}, t.lm_head);
}

// The trained tensors of a draft, DraftTensors<T>, by their names in a draft file. The frozen embedding, d2t and t2d
// are not among them.
template <typename Tensors, typename Function>
void for_each_tensor(const DraftConfig& config, Tensors& t, Function&& visit) {
  const int64_t hidden = config.decoder.hidden, taps_width = config.taps() * config.target_hidden;
  if (config.fc_norm) {
    if constexpr (!std::is_const_v<Tensors>) t.fc_norm.resize(static_cast<size_t>(config.taps()));
    for (size_t i = 0; i < t.fc_norm.size(); ++i)
      visit(fmt::format("fc_norm.{}.weight", i), Shape{config.target_hidden}, t.fc_norm[i]);
  }
  if (config.norm_before_fc) visit("input_norm.weight", Shape{taps_width}, t.norm_before_fc);
  visit("fc.weight", Shape{hidden, taps_width}, t.fc);
  visit("midlayer.hidden_norm.weight", Shape{hidden}, t.hidden_norm);
  for_each_tensor(config.decoder, "midlayer.", t.layer, visit);
  visit("norm.weight", Shape{hidden}, t.norm);
  visit("lm_head.weight", Shape{config.draft_vocabulary, hidden}, t.lm_head);
}

// All trained tensors of a draft in one piece of memory: in the list's order, each at a multiple of 64 elements, with
// zeros between them. A draft's weights, gradients and moments have one layout, so what is done to every element is one
// call over `memory`.
struct Parameters {
  Buffer memory;                 // [elements, the gaps among them]
  DraftTensors<Tensor> tensors;  // views of it
};
Parameters make_parameters(const DraftConfig& config);                                   // zeros, f32 on a CPU
Parameters make_parameters(Exec&, const DraftConfig& config, DType dtype = DType::f32);  // zeros
// To exec's device from the CPU, and back from it. Both wait.
Parameters send_parameters(Exec&, const DraftConfig&, const Parameters& from, DType dtype = DType::f32);
Parameters read_parameters(Exec&, const DraftConfig&, const Parameters& there);
DraftTensors<ConstTensor> views(const DraftConfig&, const Parameters& of);  // to be read

}  // namespace eyrie
