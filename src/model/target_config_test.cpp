#include <gtest/gtest.h>

#include "model/config.h"
#include "model/model_files_cases.h"

namespace eyrie {
namespace {

TargetConfig read(const std::string& config) {
  const ModelDirectory directory(config);
  return read_target_config(directory.path());
}

TEST(TargetConfig, ReadsWhatIsWritten) {
  const TargetConfig config = read(kSmallTarget);
  EXPECT_EQ(config.model_type, "llama");
  EXPECT_EQ(config.layers, 7);
  EXPECT_EQ(config.vocabulary, 11);
  EXPECT_EQ(config.decoder.hidden, 8);
  EXPECT_EQ(config.decoder.input_width, 8);
  EXPECT_EQ(config.decoder.q_heads, 4);
  EXPECT_EQ(config.decoder.kv_heads, 2);
  EXPECT_EQ(config.decoder.head_dim, 2);
  EXPECT_EQ(config.decoder.norm_eps, 1e-5f);
  EXPECT_EQ(config.decoder.max_positions, 64);
  EXPECT_EQ(config.decoder.rope.theta, 5000);
  EXPECT_EQ(config.stop_ids, std::vector<int32_t>{2});
  EXPECT_EQ(config.bos_id, 1);
}

TEST(TargetConfig, FamiliesDifferInWhatAbsenceMeans) {
  const std::string sizes =
      R"("hidden_size": 256, "intermediate_size": 12, "num_hidden_layers": 7, "num_attention_heads": 32,
         "vocab_size": 11})";
  const TargetConfig llama = read(R"({"model_type": "llama", )" + sizes),
                     mistral = read(R"({"model_type": "mistral", )" + sizes);
  const TargetConfig qwen2 = read(R"({"model_type": "qwen2", )" + sizes),
                     qwen3 = read(R"({"model_type": "qwen3", )" + sizes);
  EXPECT_EQ(llama.decoder.kv_heads, 32);
  EXPECT_EQ(mistral.decoder.kv_heads, 8);
  EXPECT_EQ(qwen2.decoder.head_dim, 8);
  EXPECT_EQ(qwen3.decoder.head_dim, 128);
  EXPECT_TRUE(qwen2.decoder.qkv_bias && !qwen2.decoder.o_bias && !qwen3.decoder.qkv_bias);
  EXPECT_TRUE(qwen3.decoder.qk_norm && !qwen2.decoder.qk_norm);
  EXPECT_EQ(llama.decoder.max_positions, 2048);
  EXPECT_EQ(llama.decoder.rope.theta, 10000);
  EXPECT_EQ(llama.decoder.norm_eps, 1e-6f);
  EXPECT_FALSE(llama.tied_embeddings || qwen2.tied_embeddings);
}

TEST(TargetConfig, BiasKeysCountWhereTheFamilyReadsThem) {
  const char* const both = R"({"attention_bias": true, "mlp_bias": true})";
  const DecoderConfig llama = read(changed(kSmallTarget, both)).decoder;
  EXPECT_TRUE(llama.qkv_bias && llama.o_bias && llama.mlp_bias);
  const DecoderConfig mistral = read(changed(changed(kSmallTarget, both), R"({"model_type": "mistral"})")).decoder;
  EXPECT_FALSE(mistral.qkv_bias || mistral.o_bias || mistral.mlp_bias);
  const DecoderConfig qwen3 = read(changed(changed(kSmallTarget, both), R"({"model_type": "qwen3"})")).decoder;
  EXPECT_TRUE(qwen3.qkv_bias && qwen3.o_bias && !qwen3.mlp_bias);
}

TEST(TargetConfig, StopIdsAreThoseOfBothFiles) {
  ModelDirectory directory(kSmallTarget);
  directory.write("generation_config.json", R"({"eos_token_id": [3, 5]})");
  EXPECT_EQ(read_target_config(directory.path()).stop_ids, (std::vector<int32_t>{3, 5, 2}));
  directory.write("generation_config.json", R"({"do_sample": false})");
  EXPECT_EQ(read_target_config(directory.path()).stop_ids, std::vector<int32_t>{2});
}

TEST(TargetConfig, SlidingWindows) {
  const auto positions = [](const std::string& config) {
    return read_target_config(ModelDirectory(config).path()).decoder.max_positions;
  };
  const std::string long_one = changed(kSmallTarget, R"({"max_position_embeddings": 100000})");
  const std::string mistral = changed(long_one, R"({"model_type": "mistral"})");
  EXPECT_EQ(positions(mistral), 4096) << "Hugging Face's default";
  EXPECT_EQ(positions(changed(mistral, R"({"sliding_window": null})")), 100000);
  EXPECT_EQ(positions(changed(mistral, R"({"sliding_window": 16})")), 16);
  EXPECT_EQ(positions(changed(mistral, R"({"sliding_window": 16, "use_sliding_window": false})")), 100000);
  EXPECT_EQ(target_config_error(changed(mistral, R"({"sliding_window": 0})")),
            "DIR/config.json: sliding_window: expected an integer from 1 to 2097152, found 0");
  const std::string qwen = changed(long_one, R"({"model_type": "qwen2", "sliding_window": 16})");
  EXPECT_EQ(positions(qwen), 100000);
  EXPECT_EQ(positions(changed(qwen, R"({"use_sliding_window": true})")), 16);
  EXPECT_EQ(positions(long_one), 100000);
  EXPECT_EQ(target_config_error(changed(kSmallTarget, R"({"layer_types": ["full_attention", "sliding_attention"]})")),
            "DIR/config.json: layer_types: expected \"full_attention\" only, found \"sliding_attention\"");
}

TEST(TargetConfig, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model_type": "gpt2"})", "model_type \"gpt2\" is not supported; supported: llama, mistral, qwen2, qwen3"},
      {R"({"model_type": null})", "missing key \"model_type\""},
      {R"({"hidden_size": null})", "missing key \"hidden_size\""},
      {R"({"hidden_size": "8"})", "hidden_size: expected an integer, found \"8\""},
      {R"({"hidden_size": 8.0})", "hidden_size: expected an integer, found 8.0"},
      {R"({"hidden_size": -8})", "hidden_size: expected an integer from 1 to 1048576, found -8"},
      {R"({"num_attention_heads": 0})", "num_attention_heads: expected an integer from 1 to 16384, found 0"},
      {R"({"num_key_value_heads": 3})", "num_key_value_heads: expected a divisor of num_attention_heads 4, found 3"},
      {R"({"num_attention_heads": 16})", "head_dim: expected an even number from 2 to 4096, found 0"},
      {R"({"head_dim": 7})", "head_dim: expected an even number from 2 to 4096, found 7"},
      {R"({"num_hidden_layers": 1000000000})",
       "num_hidden_layers: expected an integer from 1 to 4096, found 1000000000"},
      {R"({"vocab_size": 9223372036854775807})",
       "vocab_size: expected an integer from 1 to 16777216, found 9223372036854775807"},
      {R"({"max_position_embeddings": 1000000000})",
       "max_position_embeddings: expected an integer from 1 to 2097152, found 1000000000"},
      {R"({"rms_norm_eps": -1})", "rms_norm_eps: expected a number from 0 to 0.1, found -1"},
      {R"({"hidden_act": "gelu"})", "hidden_act: expected \"silu\", found \"gelu\""},
      {R"({"quantization_config": {}})",
       "quantization_config: quantized weights are not supported; expected f32, bf16 or f16"},
      {R"({"eos_token_id": [1, "2"]})", "eos_token_id: expected an integer, found \"2\""},
      {R"({"tie_word_embeddings": 1})", "tie_word_embeddings: expected true or false, found 1"},
      {R"({"rope_theta": 0})", "rope_theta: expected a number from 1.000001 to 1000000000000000, found 0"},
      {R"({"rope_scaling": {"rope_type": "longrope"}})",
       "RoPE type \"longrope\" is not supported; supported: default, linear, llama3, yarn"},
      {R"({"rope_scaling": {"type": "linear"}})", "missing key \"factor\""},
      {R"({"rope_scaling": {"rope_type": "linear", "factor": 0.5}})",
       "factor: expected a number from 1 to 1000000, found 0.5"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
           "original_max_position_embeddings": 16}})",
       "high_freq_factor: expected more than low_freq_factor 4, found 4"},
      {R"({"rope_parameters": {"rope_type": "default", "rope_theta": 700}})",
       "rope_parameters (default, theta 700) and rope_theta / rope_scaling (default, theta 5000) differ"},
      {R"({"rope_scaling": 3})", "rope_scaling: expected an object, found 3"},
      {R"({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 500000.0},
                               "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}})",
       "rope_parameters: \"full_attention\" is an object: RoPE per layer type is not supported"},
      {R"({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}})",
       "partial_rotary_factor = 0.25 is not supported (only 1)"},
  };
  for (const auto& [change, message] : cases) {
    const std::string found = target_config_error(changed(kSmallTarget, change));
    EXPECT_NE(found.find("config.json"), std::string::npos) << found;
    EXPECT_TRUE(found.ends_with(message)) << change << "\n  expected " << message << "\n  found    " << found;
  }
}

// Whatever a value is that nobody asks for, and however Python wrote it.
TEST(TargetConfig, ValuesThatNobodyAsksFor) {
  const std::string rest = std::string(kSmallTarget).substr(1);
  EXPECT_EQ(target_config_error(R"({"time_step_limit": [0.0, Infinity], "a": -Infinity, "b": NaN, "c": 1e999,
                "model_max_length": 1000000000000000019884624838656, "d": {"e": [[]]}, )" +
                                rest),
            "");
  std::string asked = kSmallTarget;
  asked.replace(asked.find("5000.0"), 6, "NaN");
  EXPECT_EQ(target_config_error(asked), "DIR/config.json: rope_theta: expected a finite number, found nan");
}

TEST(TargetConfig, NamesTheFileThatIsMissingOrNoJson) {
  const ModelDirectory directory("{");
  EXPECT_NE(
      error_of(directory, [&] { read_target_config(directory.path()); }).find("DIR/config.json:1: malformed JSON"),
      std::string::npos);
  EXPECT_EQ(target_config_error("[]"), "DIR/config.json: expected a JSON object");
  EXPECT_EQ(error_of(directory, [&] { read_target_config(directory.path() + "/none"); }),
            "DIR/none/config.json: cannot be opened: No such file or directory");
}

TEST(TargetConfig, DefaultTaps) {
  EXPECT_EQ(default_tap_ids(7), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(default_tap_ids(32), (std::vector<int64_t>{1, 15, 28}));
  try {
    default_tap_ids(6);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
  }
}

}  // namespace
}  // namespace eyrie
