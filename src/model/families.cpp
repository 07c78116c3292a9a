#include "model/families.h"

#include <fmt/core.h>

#include "base/error.h"
#include "model/config.h"

namespace eyrie {
namespace {

constexpr Family kFamilies[] = {
    {.model_type = "llama",
     .attention_bias = AttentionBias::by_key,
     .mlp_bias_key = true,
     .qk_norm = false,
     .window_unless_switched_off = false,
     .kv_heads = 0,
     .head_dim = 0,
     .max_positions = 2048},
    {.model_type = "mistral",
     .attention_bias = AttentionBias::none,
     .mlp_bias_key = false,
     .qk_norm = false,
     .window_unless_switched_off = true,
     .kv_heads = 8,
     .head_dim = 0,
     .max_positions = 131072},
    {.model_type = "qwen2",
     .attention_bias = AttentionBias::qkv,
     .mlp_bias_key = false,
     .qk_norm = false,
     .window_unless_switched_off = false,
     .kv_heads = 32,
     .head_dim = 0,
     .max_positions = 32768},
    {.model_type = "qwen3",
     .attention_bias = AttentionBias::by_key,
     .mlp_bias_key = false,
     .qk_norm = true,
     .window_unless_switched_off = false,
     .kv_heads = 32,
     .head_dim = 128,
     .max_positions = 32768},
};

}  // namespace

std::vector<std::string> supported_model_types() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.model_type);
  return names;
}

const Family& family_of(std::string_view model_type, const std::string& place) {
  std::string names;
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) return family;
    names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  }
  throw Error(ErrorKind::file, place,
              fmt::format("model_type \"{}\" is not supported; supported: {}", model_type, names));
}

}  // namespace eyrie
