#include "model/describe.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "model/draft_limits.h"
#include "model/rope_config.h"
#include "model/weights.h"

namespace eyrie {
namespace {

std::string joined(const auto& items) { return items.empty() ? "none" : fmt::format("{}", fmt::join(items, ", ")); }

void describe_layer(const DecoderConfig& layer, Description& lines) {
  lines.emplace_back("heads",
                     fmt::format("{} query, {} key-value, {} wide", layer.q_heads, layer.kv_heads, layer.head_dim));
  lines.emplace_back("MLP", fmt::format("{} wide", layer.intermediate));
  std::vector<std::string> extras;
  if (layer.qkv_bias) extras.push_back(layer.o_bias ? "biases on q, k, v, o" : "biases on q, k, v");
  if (layer.mlp_bias) extras.push_back("biases in the MLP");
  if (layer.qk_norm) extras.push_back("norms on q, k");
  if (!extras.empty()) lines.emplace_back("layer", joined(extras));
  lines.emplace_back("RoPE", to_string(layer.rope));
  lines.emplace_back("positions",
                     fmt::format("{}{}", layer.max_positions, layer.window ? ", as wide as its sliding window" : ""));
}

// "5771520, matrices in bf16": vectors are f32 once loaded, whatever the file stores.
template <typename Model>
std::string parameters(const Model& model) {
  int64_t count = 0;
  std::set<std::string> dtypes;
  for_each_tensor(model.config, model.tensors, [&](const std::string&, const Shape& shape, const ConstTensor& tensor) {
    count += tensor.elements();
    if (shape.rank == 2) dtypes.insert(name(tensor.dtype));
  });
  return fmt::format("{}, matrices in {}", count, joined(dtypes));
}

std::string vocabulary_of(const Draft& draft) {
  const DraftConfig& config = draft.config;
  if (draft.vocabulary.d2t.empty()) return fmt::format("the target's, {} tokens", config.vocabulary);
  return fmt::format("{} of the target's {} tokens", config.draft_vocabulary, config.vocabulary);
}

std::vector<std::string> variants_of(const DraftConfig& config) {
  std::vector<std::string> list;
  for (const auto& [name, on] : kDraftVariants)
    if (config.*on) list.push_back(name);
  return list;
}

// The part of a model that a tensor belongs to: "model.visual.*"; of a layer that we know, what it is in all of them.
std::string part_of(const std::string& name) {
  constexpr std::string_view kModel = "model.", kLayers = "model.layers.";
  const size_t part = name.starts_with(kModel) ? kModel.size() : 0, end = name.find('.', part);
  if (name.starts_with(kLayers) && name.find('.', kLayers.size()) != std::string::npos)
    return std::string(kLayers) + "*" + name.substr(name.find('.', kLayers.size()));
  return end == std::string::npos ? name : name.substr(0, end) + ".*";
}

// "model.visual.* (312), model.layers.*.self_attn.q_norm.weight (28)"
std::string unread_parts(const WeightStorage& storage) {
  std::map<std::string, std::vector<std::string>> parts;
  for (const std::string& name : storage.unread())
    if (!is_harmless_unread(name)) parts[part_of(name)].push_back(name);
  std::vector<std::string> list;
  for (const auto& [part, names] : parts)
    list.push_back(names.size() == 1 ? names.front() : fmt::format("{} ({})", part, names.size()));
  return fmt::format("{}", fmt::join(list, ", "));
}

}  // namespace

Description describe(const Target& target) {
  const TargetConfig& config = target.config;
  Description lines = {{"kind", "target"},
                       {"family", config.model_type},
                       {"layers", std::to_string(config.layers)},
                       {"hidden", std::to_string(config.decoder.hidden)}};
  describe_layer(config.decoder, lines);
  lines.emplace_back("vocabulary", fmt::format("{} tokens{}", config.vocabulary,
                                               config.tied_embeddings ? ", embeddings tied to lm_head" : ""));
  lines.emplace_back("stop ids", joined(config.stop_ids));
  lines.emplace_back("parameters", parameters(target));
  lines.emplace_back("default taps", has_default_tap_ids(config.layers)
                                         ? joined(default_tap_ids(config.layers))
                                         : "none: fewer than 7 layers, ids must be given");
  lines.emplace_back("fingerprint", target.fingerprint);
  if (const std::string unread = target.storage ? unread_parts(*target.storage) : ""; !unread.empty())
    lines.emplace_back("not read", unread);
  return lines;
}

Description describe(const Draft& draft) {
  const DraftConfig& config = draft.config;
  Description lines = {{"kind", "EAGLE-3 draft"},
                       {"hidden", fmt::format("{}, the target's {}", config.decoder.hidden, config.target_hidden)}};
  describe_layer(config.decoder, lines);
  lines.emplace_back("taps", config.tap_ids.empty() ? "default" : joined(config.tap_ids));
  lines.emplace_back("tap rule", config.tap_rule);
  lines.emplace_back("variants", joined(variants_of(config)));
  if (config.norm_output) lines.emplace_back("note", norm_output_note());
  lines.emplace_back("draft vocabulary", vocabulary_of(draft));
  lines.emplace_back("embeddings", draft.own_embedding ? "its own" : "the target's");
  lines.emplace_back("parameters", parameters(draft));
  return lines;
}

}  // namespace eyrie
