// Seeded mutations of config.json: whatever the file says, reading it ends in a config or in one Error{file}.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "model/config_keys.h"
#include "model/decoder_config.h"
#include "model/rope_frequencies.h"

namespace eyrie {
namespace {

const char* const kLarge = R"({"architectures": ["LlamaForCausalLMEagle3"], "model_type": "llama", "hidden_size": 8,
  "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
  "vocab_size": 11, "draft_vocab_size": 5, "max_position_embeddings": 64, "rms_norm_eps": 1e-05,
  "attention_bias": false, "mlp_bias": true, "tie_word_embeddings": false, "sliding_window": null,
  "eos_token_id": [2, 3], "bos_token_id": 1, "rope_theta": 500.0,
  "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 16},
  "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 16},
  "norm_before_residual": false, "fc_norm": true, "eagle_aux_hidden_state_layer_ids": [2, 3, 4],
  "eagle_config": {"use_aux_hidden_state": true, "eagle_aux_hidden_state_layer_ids": [2, 3, 4]}})";

constexpr const char* kValues[] = {"0",     "-1",     "1",      "2147483648", "4294967297", "9223372036854775807",
                                   "1e308", "-1e308", "1e-320", "2.5",        "\"1\"",      "null",
                                   "true",  "[]",     "{}",     "[[2]]",      "\"yarn\"",   "99999999999999999999"};

std::string with_a_value_replaced(const std::string& text, RandomStream& random) {
  std::vector<size_t> colons;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == ':') colons.push_back(i);
  if (colons.empty()) return text;
  const size_t begin = colons[random.below(colons.size())] + 1;
  const size_t end = std::min(text.find_first_of(",}", begin), text.size());
  return text.substr(0, begin) + " " + kValues[random.below(std::size(kValues))] + text.substr(end);
}

std::string with_a_byte_changed(std::string text, RandomStream& random) {
  const size_t place = random.below(text.size());
  switch (random.below(4)) {
    case 0:
      text[place] = static_cast<char>(random.below(256));
      break;
    case 1:
      text.erase(place, 1 + random.below(8));
      break;
    case 2:
      text.insert(place, text.substr(random.below(text.size()), 1 + random.below(20)));
      break;
    default:
      text.resize(place);
  }
  return text;
}

// 1 when `read` gave a config, 0 when it threw Error{file}; any other exception fails the test.
template <typename Read>
int outcome(const Read& read) {
  try {
    read();
    return 1;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file) << error.what();
    EXPECT_NE(error.place(), "") << error.what();
    return 0;
  }
}

TEST(ConfigMutation, EndsInAConfigOrInAnError) {
  RandomStream random("ConfigMutation");
  const std::string place = "config.json";
  int good = 0;
  for (int round = 0; round < 10000; ++round) {
    std::string text = kLarge;
    for (uint64_t changes = 1 + random.below(3); changes > 0 && !text.empty(); --changes)
      text = random.below(3) ? with_a_value_replaced(text, random) : with_a_byte_changed(text, random);
    good += outcome([&] { rope_frequencies(target_config_of(parse_config(text, place), place).decoder.rope, 6); });
    good += outcome([&] { write_draft_config(draft_config_of(parse_config(text, place), place), ""); });
    if (HasFailure()) FAIL() << text;
  }
  EXPECT_GT(good, 500);  // not everything is refused
  EXPECT_LT(good, 19000);
}

}  // namespace
}  // namespace eyrie
