#include <fmt/core.h>

#include <filesystem>

#include "base/error.h"
#include "base/named.h"
#include "model/config.h"
#include "model/config_keys.h"
#include "model/decoder_config.h"
#include "model/draft_limits.h"
#include "model/draft_readers.h"
#include "model/rope_config.h"

namespace eyrie {
namespace {

constexpr const char* kTapKey = "eagle_aux_hidden_state_layer_ids";
constexpr const char* kTapCountKey = "num_aux_hidden_states";
constexpr const char* kDefaultRule = "none named: the default 1, L/2-1, L-4";
constexpr const char* kGivenRule = "given (--tap-ids): output ids, the layers tapped";
constexpr const char* kNormedType = "qwen3";  // a layer with norms on q and k

[[noreturn]] void refuse(const std::string& place, const std::string& message) {
  throw Error(ErrorKind::file, place, message);
}

// A norm we do not know would be left out silently.
void refuse_unknown_variants(const Json& config, const std::string& place) {
  for (const auto& [key, value] : config.as_members()) {
    if (!key.starts_with("norm_") && !key.starts_with("fc_")) continue;
    if (find_named(kDraftVariants, key)) continue;
    refuse(place,
           fmt::format("key \"{}\" is not known; known norm_* and fc_* keys: {}", key, names_of(kDraftVariants)));
  }
}

bool of_speculators(const Json& config) {
  return config.find("speculators_config") || config.find("speculators_model_type");
}

// speculators' file: `layer` is the object inside that describes it.
void check_speculators(const Json& config, const Json& layer, const std::string& place) {
  const std::string kind = text_or(config, "speculators_model_type", "eagle3");
  if (kind != "eagle3") refuse(place, fmt::format("speculators_model_type: expected \"eagle3\", found \"{}\"", kind));
  for (const char* key : {"hidden_size", "vocab_size", "draft_vocab_size", "num_hidden_layers"}) {
    const Json *upper = config.find(key), *inside = layer.find(key);
    if (upper && inside && upper->dump() != inside->dump())
      refuse(place,
             fmt::format("{} is {} at the top and {} in transformer_layer_config", key, upper->dump(), inside->dump()));
  }
}

// The keys stand at the top, or (NVIDIA's checkpoints) in eagle_config.
void read_variants(const Json& config, const std::string& place, DraftConfig& draft) {
  const Json* eagle = find_object(config, place, "eagle_config");
  refuse_unknown_variants(config, place);
  if (eagle) refuse_unknown_variants(*eagle, place);
  const auto flag = [&](const char* key) {
    const bool inside = eagle && boolean_or(*eagle, key, false), upper = boolean_or(config, key, inside);
    if (upper != inside && eagle && eagle->find(key))
      refuse(place, fmt::format("{} is {} at the top and {} in eagle_config", key, upper, inside));
    return upper;
  };
  for (const auto& [name, on] : kDraftVariants) draft.*on = flag(name);
  if (draft.fc_norm && draft.norm_before_fc) refuse(place, "fc_norm and norm_before_fc exclude each other");
  if (of_speculators(config) && !config.find("norm_before_residual"))
    refuse(place,
           "speculators_config without norm_before_residual: readers disagree on what its absence means; add it");
}

std::vector<int64_t> less_one(std::vector<int64_t> ids) {
  for (int64_t& id : ids) --id;
  return ids;
}

// Spec §2 "Reading a draft". A file with both lists is ours (export): the upper one settles what the nested one means.
void read_tap_ids(const Json& config, const std::string& place, DraftConfig& draft) {
  const Json* eagle = find_object(config, place, "eagle_config");
  const std::vector<int64_t> nested =
      eagle ? integers_or_none(*eagle, place, kTapKey, 0, kMaxLayers) : std::vector<int64_t>();
  const std::vector<int64_t> upper = integers_or_none(config, place, kTapKey, 0, kMaxLayers);
  if (!upper.empty()) {
    draft.tap_ids = less_one(upper);
    draft.tap_rule = "top-level eagle_aux_hidden_state_layer_ids: input ids, one less is the layer tapped";
    if (!nested.empty() && nested != upper && nested != draft.tap_ids)
      refuse(place, fmt::format("{} at the top and in eagle_config name different layers", kTapKey));
  } else if (!nested.empty() && of_speculators(config)) {
    draft.tap_ids = less_one(nested);
    draft.tap_rule = "eagle_config of a file with speculators_config: input ids, one less is the layer tapped";
  } else if (!nested.empty()) {
    draft.tap_ids = nested;
    draft.tap_rule = "eagle_config.eagle_aux_hidden_state_layer_ids: output ids, the layers tapped";
  } else {
    draft.tap_rule = kDefaultRule;
  }
  for (const int64_t id : draft.tap_ids)
    if (id < 0) refuse(place, fmt::format("{}: input id 0 is the embedding, which is no layer's output", kTapKey));
  for (const char* key : {kTapCountKey, "num_aux_layers"})
    if (const int64_t count = integer_or(config, key, draft.taps(), 1, kMaxLayers); count != draft.taps())
      refuse(place, fmt::format("{}: expected {}, as many as {} {}, found {}", key, draft.taps(), kTapKey,
                                draft.tap_ids.empty() ? "has by default" : "names", count));
}

// Input ids: one more than the layers tapped.
Json::Array input_ids(const DraftConfig& config, const DraftReader* reader) {
  std::vector<int64_t> ids = config.tap_ids;
  for (int64_t& id : ids) ++id;
  if (reader && taps_read_by(*reader, ids) != config.tap_ids)
    throw Error(ErrorKind::usage, "--for",
                fmt::format("{} cannot be told to tap these layers: it takes ids that begin "
                            "with {} for the layers themselves",
                            reader->name, ids.front()));
  return {ids.begin(), ids.end()};
}

bool is_default(const DraftConfig& config) {
  return config.tap_ids.empty() ||
         (has_default_tap_ids(config.target_layers) && config.tap_ids == default_tap_ids(config.target_layers));
}

void write_tap_ids(Json& json, const DraftConfig& config, const DraftReader* reader) {
  Json eagle = Json::object({{"use_aux_hidden_state", true}});
  if (!is_default(config)) {
    eagle.set(kTapKey, input_ids(config, reader));
    json.set(kTapKey, input_ids(config, reader));
  }
  if (config.taps() != kUsualTaps) json.set(kTapCountKey, config.taps());
  json.set("eagle_config", std::move(eagle));
}

void write_variants(Json& json, const DraftConfig& config) {
  json.set("norm_before_residual", config.norm_before_residual);
  for (const auto& [name, on] : kDraftVariants)
    if (config.*on) json.set(name, true);
}

}  // namespace

DraftConfig read_draft_config(const std::string& directory) {
  const std::string path = config_path(directory);
  return draft_config_of(read_config_file(path), path);
}

bool calls_itself_draft(const std::string& directory) {
  const std::string path = config_path(directory);
  if (!std::filesystem::exists(path)) return false;
  const Json config = read_config_file(path);
  return config.find("eagle_config") || of_speculators(config);
}

DraftConfig draft_config_of(const Json& config, const std::string& path) {
  const Json* nested = find_object(config, path, "transformer_layer_config");  // files of speculators
  const Json& layer = nested ? *nested : config;
  if (of_speculators(config) && !nested) refuse(path, "speculators_config without transformer_layer_config");
  if (nested) check_speculators(config, layer, path);
  for (const Json* object : {&config, &layer, find_object(config, path, "eagle_config")})
    if (object) refuse_other_computations(*object, path);
  DraftConfig draft;
  const std::string type = text_or(layer, "model_type", "llama");
  if (type != "llama" && type != kNormedType)
    refuse(path, fmt::format("model_type: a draft is a \"llama\" or \"{}\" layer, found \"{}\"", kNormedType, type));
  if (const int64_t layers = integer_or(layer, "num_hidden_layers", 1, 1, kMaxLayers); layers != 1)
    refuse(path, fmt::format("num_hidden_layers: a draft has 1, found {}", layers));
  draft.decoder = read_decoder_config(layer, path, family_of(type, path));
  draft.decoder.input_width = 2 * draft.decoder.hidden;
  draft.target_hidden = integer_or(config, "target_hidden_size", draft.decoder.hidden, 1, kMaxWidth);
  draft.vocabulary = layer.integer("vocab_size", 1, kMaxVocabulary);
  draft.draft_vocabulary = integer_or(config, "draft_vocab_size", draft.vocabulary, 1, draft.vocabulary);
  read_variants(config, path, draft);
  read_tap_ids(config, path, draft);
  return draft;
}

Json write_draft_config(const DraftConfig& config, const std::string& reader) {
  const DecoderConfig& layer = config.decoder;
  Json json = Json::object({{"architectures", Json::Array{draft_architecture(layer.qk_norm)}},
                            {"model_type", layer.qk_norm ? kNormedType : "llama"},
                            {"num_hidden_layers", 1},
                            {"hidden_size", layer.hidden},
                            {"target_hidden_size", config.target_hidden},
                            {"intermediate_size", layer.intermediate},
                            {"num_attention_heads", layer.q_heads},
                            {"num_key_value_heads", layer.kv_heads},
                            {"head_dim", layer.head_dim},
                            {"hidden_act", "silu"},
                            {"rms_norm_eps", std::stod(fmt::format("{}", layer.norm_eps))},
                            {"attention_bias", layer.qkv_bias},
                            {"mlp_bias", layer.mlp_bias},
                            {"vocab_size", config.vocabulary},
                            {"draft_vocab_size", config.draft_vocabulary},
                            {"max_position_embeddings", layer.max_positions},
                            {"tie_word_embeddings", false}});
  write_rope(json, layer.rope);
  write_variants(json, config);
  write_tap_ids(json, config, reader.empty() ? nullptr : &find_draft_reader(reader));
  return json;
}

DraftConfig derive_draft_config(const TargetConfig& target, int64_t draft_vocabulary, std::vector<int64_t> tap_ids) {
  if (draft_vocabulary < 1 || draft_vocabulary > target.vocabulary)
    throw Error(ErrorKind::usage, "draft vocabulary",
                fmt::format("expected 1 to {} tokens, the target's, found {}", target.vocabulary, draft_vocabulary));
  DraftConfig draft;
  draft.decoder = target.decoder;
  draft.decoder.input_width = 2 * target.decoder.hidden;
  draft.decoder.qkv_bias = draft.decoder.o_bias = draft.decoder.mlp_bias = draft.decoder.qk_norm = false;
  draft.target_hidden = target.decoder.hidden;
  draft.vocabulary = target.vocabulary, draft.draft_vocabulary = draft_vocabulary;
  draft.tap_ids = std::move(tap_ids);
  draft.tap_rule = draft.tap_ids.empty() ? kDefaultRule : kGivenRule;
  resolve_tap_ids(draft, target);
  return draft;
}

void resolve_tap_ids(DraftConfig& draft, const TargetConfig& target) {
  draft.target_layers = target.layers;
  if (draft.tap_ids.empty()) draft.tap_ids = default_tap_ids(target.layers);
  expect_tap_ids(draft.tap_ids, target.layers, ErrorKind::input);
}

void expect_tap_ids(const std::vector<int64_t>& ids, int64_t layers, ErrorKind kind) {
  for (const int64_t id : ids)
    if (id < 0 || id >= layers)
      throw Error(kind, "tap-ids",
                  fmt::format("expected ids of the target's layers, 0 to {}, found {}", layers - 1, id));
}

void override_tap_ids(DraftConfig& draft, std::vector<int64_t> tap_ids) {
  if (static_cast<int64_t>(tap_ids.size()) != draft.taps())
    throw Error(ErrorKind::usage, "tap-ids",
                fmt::format("the draft reads {} taps, found {} ids", draft.taps(), tap_ids.size()));
  draft.tap_ids = std::move(tap_ids);
  draft.tap_rule = kGivenRule;
}

}  // namespace eyrie
