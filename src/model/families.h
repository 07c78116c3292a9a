// model/families.h: what the model families of one architecture differ in: a row each, and the default that a key's
// absence means there (Hugging Face's configuration class of the family).
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

enum class AttentionBias {
  none,    // whatever the config says
  qkv,     // q, k and v always, o never
  by_key,  // `attention_bias`: q, k, v and o
};

struct Family {
  const char* name;  // its model_type
  AttentionBias attention_bias = AttentionBias::none;
  bool mlp_bias_key = false;                // `mlp_bias` is read
  bool qk_norm = false;                     // RMSNorm per head on q and k
  bool window_unless_switched_off = false;  // `sliding_window` counts without `use_sliding_window`
  int64_t kv_heads = 0;                     // 0: as many as query heads
  int64_t head_dim = 0;                     // 0: hidden / query heads
  int64_t max_positions;
};

const Family& family_of(std::string_view model_type, const std::string& place);  // or Error{file} with the list

}  // namespace eyrie
