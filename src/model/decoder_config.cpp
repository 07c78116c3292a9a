#include "model/decoder_config.h"

#include <fmt/core.h>

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

void refuse_windows(const Json& config, const std::string& place, const Family& family) {
  const Json* window = config.find("sliding_window");
  if (window && boolean_or(config, "use_sliding_window", family.window_unless_switched_off))
    refuse(place, fmt::format("sliding_window {} is not supported; expected null or use_sliding_window false",
                              window->dump()));
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
  refuse_windows(config, place, family);
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
  return decoder;
}

}  // namespace eyrie
