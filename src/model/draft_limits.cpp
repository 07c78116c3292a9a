#include "model/draft_limits.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "model/weights.h"

namespace eyrie {
namespace {

// Keys of public drafts and the one value that says what we compute; absent or null says it too.
constexpr struct {
  const char *key, *value;
} kKeys[] = {
    {"use_aux_hidden_state", "true"},  // false: the target's last hidden state, no fc
    {"use_input_layernorm_in_first_layer", "true"},
    {"use_last_layernorm", "true"},
    {"use_mtp_layernorm", "false"},
    {"use_aux_norm", "false"},       // another name of fc_norm
    {"parallel_drafting", "false"},  // P-EAGLE: all depths in one forward
    {"parallel_draft_step", "1"},
    {"bias", "false"},  // SGLang: of fc and the layer
    {"qkv_bias", "false"},
    {"logit_scale", "1"},
    {"is_causal", "true"},
};

// Endings of names. The first is made from config.json; the others are the target's, which speculators trains beside.
constexpr const char* kHarmless[] = {"rotary_emb.inv_freq", "verifier_lm_head.weight", "verifier_norm.weight"};

// Of layers.1 or a later one.
bool is_of_later_layer(std::string_view name) {
  if (name.starts_with("model.")) name.remove_prefix(6);
  return name.starts_with("layers.") && !name.starts_with("layers.0.");
}

}  // namespace

void refuse_other_computations(const Json& object, const std::string& place) {
  for (const auto& [key, value] : kKeys) {
    const Json* found = object.find(key);
    const Json expected = Json::parse(value, "");
    if (!found || found->dump() == value) continue;
    if (found->is_number() && expected.is_number() && found->as_number() == expected.as_number()) continue;
    throw Error(ErrorKind::file, place, fmt::format("{} = {} is not supported (only {})", key, found->dump(), value));
  }
}

void refuse_unread(const WeightStorage& storage) {
  for (const std::string& name : storage.unread()) {
    if (is_harmless_unread(name)) continue;
    const bool norm = name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight");
    const std::string why = is_of_later_layer(name) ? "a draft of one layer is supported, this one has more"
                            : norm                  ? "only a draft of model_type \"qwen3\" has norms on q and k"
                                                    : "the draft that config.json describes has no such tensor";
    throw Error(ErrorKind::file, storage.files().file_of(name) + ": " + name, "would be left out: " + why);
  }
}

bool is_harmless_unread(const std::string& name) {
  return std::ranges::any_of(kHarmless, [&](const char* ending) { return name.ends_with(ending); });
}

}  // namespace eyrie
