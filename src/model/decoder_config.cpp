#include "model/decoder_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "model/config_keys.h"
#include "model/rope_config.h"

namespace eyrie {
namespace {

constexpr double kMaxEps = 0.1;

[[noreturn]] void refuse(const std::string& place, const std::string& message) {
  throw Error(ErrorKind::file, place, message);
}

void read_heads(const Json& config, const std::string& place, const Family& family, DecoderConfig& decoder) {
  decoder.q_heads = config.integer("num_attention_heads", 1, kMaxHeads);
  decoder.kv_heads =
      integer_or(config, "num_key_value_heads", family.kv_heads ? family.kv_heads : decoder.q_heads, 1, kMaxHeads);
  if (decoder.q_heads % decoder.kv_heads != 0)
    refuse(place, fmt::format("num_key_value_heads: expected a divisor of num_attention_heads {}, found {}",
                              decoder.q_heads, decoder.kv_heads));
  const int64_t usual = family.head_dim ? family.head_dim : decoder.hidden / decoder.q_heads;
  decoder.head_dim = integer_or(config, "head_dim", usual, 1, kMaxHeadDim);
  if (decoder.head_dim < 2 || decoder.head_dim % 2 != 0 || decoder.head_dim > kMaxHeadDim)
    refuse(place,
           fmt::format("head_dim: expected an even number from 2 to {}, found {}", kMaxHeadDim, decoder.head_dim));
}

void read_biases(const Json& config, const Family& family, DecoderConfig& decoder) {
  const bool by_key = boolean_or(config, "attention_bias", false);
  decoder.qkv_bias =
      family.attention_bias == AttentionBias::qkv || (family.attention_bias == AttentionBias::by_key && by_key);
  decoder.o_bias = family.attention_bias == AttentionBias::by_key && by_key;
  decoder.mlp_bias = family.mlp_bias_key && boolean_or(config, "mlp_bias", false);
}

// The tokens that a query of the model sees, itself among them; 0: all. Hugging Face's configuration classes take the
// absent key for 4096, and null for no window.
int64_t attention_window(const Json& config, const Family& family) {
  constexpr int64_t kWhenAbsent = 4096;
  constexpr std::string_view kKey = "sliding_window";
  if (!boolean_or(config, "use_sliding_window", family.window_unless_switched_off)) return 0;
  const auto& members = config.as_members();
  const bool stands = std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.first == kKey; });
  return stands ? integer_or(config, kKey, 0, 1, kMaxPositions) : kWhenAbsent;
}

void refuse_mixed_layers(const Json& config, const std::string& place) {
  const Json* types = config.find("layer_types");
  if (!types) return;
  for (const Json& type : config.array("layer_types"))
    if (!type.is_text() || type.as_text() != "full_attention")
      refuse(place, fmt::format("layer_types: expected \"full_attention\" only, found {}", type.dump()));
}

void refuse_others(const Json& config, const std::string& place) {
  const std::string activation = text_or(config, "hidden_act", "silu");
  if (activation != "silu") refuse(place, fmt::format("hidden_act: expected \"silu\", found \"{}\"", activation));
  if (config.find("quantization_config"))
    refuse(place, "quantization_config: quantized weights are not supported; expected f32, bf16 or f16");
}

}  // namespace

float DecoderConfig::softmax_scale() const { return 1 / std::sqrt(static_cast<float>(head_dim)); }

std::string config_path(const std::string& directory) {
  if (directory.ends_with(".json")) return directory;
  return (std::filesystem::path(directory) / "config.json").string();
}

DecoderConfig read_decoder_config(const Json& config, const std::string& place, const Family& family) {
  refuse_mixed_layers(config, place);
  refuse_others(config, place);
  DecoderConfig decoder;
  decoder.hidden = config.integer("hidden_size", 1, kMaxWidth);
  decoder.input_width = decoder.hidden;
  decoder.intermediate = config.integer("intermediate_size", 1, kMaxWidth);
  read_heads(config, place, family, decoder);
  read_biases(config, family, decoder);
  decoder.qk_norm = family.qk_norm;
  decoder.norm_eps =
      static_cast<float>(checked(number_or(config, "rms_norm_eps", 1e-6), place, "rms_norm_eps", 0, kMaxEps));
  decoder.max_positions = integer_or(config, "max_position_embeddings", family.max_positions, 1, kMaxPositions);
  decoder.rope = read_rope(config, place, decoder.max_positions);
  decoder.window = attention_window(config, family);
  if (decoder.window > 0) decoder.max_positions = std::min(decoder.max_positions, decoder.window);
  return decoder;
}

}  // namespace eyrie
