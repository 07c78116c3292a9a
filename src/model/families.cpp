#include "model/families.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/named.h"
#include "model/config.h"

namespace eyrie {
namespace {

constexpr Family kFamilies[] = {
    {.name = "llama", .attention_bias = AttentionBias::by_key, .mlp_bias_key = true, .max_positions = 2048},
    {.name = "mistral", .window_unless_switched_off = true, .kv_heads = 8, .max_positions = 131072},
    {.name = "qwen2", .attention_bias = AttentionBias::qkv, .kv_heads = 32, .max_positions = 32768},
    {.name = "qwen3",
     .attention_bias = AttentionBias::by_key,
     .qk_norm = true,
     .kv_heads = 32,
     .head_dim = 128,
     .max_positions = 32768},
};

}  // namespace

bool is_supported(std::string_view model_type) { return find_named(kFamilies, model_type); }

std::string supported_model_types() { return names_of(kFamilies); }

const Family& family_of(std::string_view model_type, const std::string& place) {
  if (const Family* found = find_named(kFamilies, model_type)) return *found;
  throw Error(ErrorKind::file, place,
              fmt::format("model_type \"{}\" is not supported; supported: {}", model_type, supported_model_types()));
}

}  // namespace eyrie
