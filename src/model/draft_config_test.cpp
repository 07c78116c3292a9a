#include <gtest/gtest.h>

#include "model/model_files_cases.h"
#include "model/rope_config.h"

namespace eyrie {
namespace {

using Ids = std::vector<int64_t>;

DraftConfig read(const std::string& config) {
  const ModelDirectory directory(config);
  return read_draft_config(directory.path());
}

TEST(DraftConfig, TapIdsByWhereTheyStand) {
  const std::string nested =
      changed(kSmallDraft, R"({"eagle_config": {"eagle_aux_hidden_state_layer_ids": [1, 2, 3]}})");
  EXPECT_EQ(read(nested).tap_ids, (Ids{1, 2, 3}));
  EXPECT_EQ(read(nested).tap_rule, "eagle_config.eagle_aux_hidden_state_layer_ids: output ids, the layers tapped");
  const std::string upper = changed(kSmallDraft, R"({"eagle_aux_hidden_state_layer_ids": [2, 3, 4]})");
  EXPECT_EQ(read(upper).tap_ids, (Ids{1, 2, 3}));
  EXPECT_EQ(read(upper).tap_rule,
            "top-level eagle_aux_hidden_state_layer_ids: input ids, one less is the layer tapped");
  EXPECT_EQ(read(kSmallDraft).tap_ids, Ids{});
  EXPECT_EQ(read(kSmallDraft).tap_rule, "none named: the default 1, L/2-1, L-4");
  EXPECT_EQ(read(kSmallDraft).taps(), 3);
  const char* const both = R"({"eagle_config": {"eagle_aux_hidden_state_layer_ids": [2, 3, 4]}})";
  EXPECT_EQ(read(changed(upper, both)).tap_ids, (Ids{1, 2, 3}));
  const char* const four = R"({"eagle_config": {"eagle_aux_hidden_state_layer_ids": [1, 2, 3, 5]}})";
  EXPECT_EQ(read(changed(kSmallDraft, four)).taps(), 4);
}

TEST(DraftConfig, SpeculatorsFilesHoldTheLayerInside) {
  Json file = Json::object();
  file.set("speculators_config", Json::object()).set("transformer_layer_config", Json::parse(kSmallDraft, "draft"));
  file.set("draft_vocab_size", 5).set("norm_before_residual", true);
  file.set("eagle_aux_hidden_state_layer_ids", Json::Array{2, 3, 4});
  const DraftConfig config = read(file.dump());
  EXPECT_EQ(config.tap_ids, (Ids{1, 2, 3}));
  EXPECT_EQ(config.draft_vocabulary, 5);
  EXPECT_EQ(config.decoder.input_width, 16);
  EXPECT_TRUE(config.norm_before_residual);
  EXPECT_EQ(draft_config_error(without(file.dump(), "norm_before_residual")),
            "DIR/config.json: speculators_config without norm_before_residual: readers disagree on what its absence "
            "means; add it");
}

TEST(DraftConfig, VariantsMayStandInEagleConfig) {
  const std::string inside =
      changed(kSmallDraft, R"({"eagle_config": {"norm_before_fc": true, "norm_before_residual": false}})");
  EXPECT_TRUE(read(inside).norm_before_fc);
  EXPECT_FALSE(read(inside).norm_before_residual);
}

TEST(DraftConfig, NormsOnQAndK) {
  const std::string normed = changed(kSmallDraft, R"({"model_type": "qwen3", "head_dim": 2})");
  EXPECT_TRUE(read(normed).decoder.qk_norm);
  EXPECT_EQ(read(without(normed, "head_dim")).decoder.head_dim, 128);  // the default of the type
  const Json written = write_draft_config(read(normed), "vllm");
  EXPECT_EQ(written.text("model_type"), "qwen3");
  EXPECT_EQ(written.array("architectures")[0].as_text(), "Eagle3Qwen3ForCausalLM");
}

// Keys that say what we compute anyway stand in many files.
TEST(DraftConfig, KeysThatChangeNothing) {
  const char* const changes[] = {
      R"({"eagle_config": {"use_aux_hidden_state": true, "use_input_layernorm_in_first_layer": true,
          "use_last_layernorm": true, "use_mtp_layernorm": false, "parallel_draft_step": 1}})",
      R"({"parallel_drafting": false, "logit_scale": 1.0, "bias": null, "partial_rotary_factor": 1})",
      R"({"num_aux_hidden_states": 3, "something_new": {"a": [1]}})"};
  for (const char* change : changes) EXPECT_EQ(draft_config_error(changed(kSmallDraft, change)), "");
}

TEST(DraftConfig, AbsenceAndNull) {
  EXPECT_EQ(read(without(kSmallDraft, "rope_theta")).decoder.rope.theta, 10000);
  EXPECT_EQ(read(without(kSmallDraft, "draft_vocab_size")).draft_vocabulary, 11);
  EXPECT_EQ(read(changed(kSmallDraft, R"({"draft_vocab_size": null})")).draft_vocabulary, 11);
  EXPECT_EQ(read(kSmallDraft).target_hidden, 8);
  EXPECT_EQ(read(changed(kSmallDraft, R"({"target_hidden_size": 24})")).target_hidden, 24);
  EXPECT_FALSE(read(without(kSmallDraft, "norm_before_residual")).norm_before_residual);
}

TEST(DraftConfig, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"norm_somewhere": true})",
       "key \"norm_somewhere\" is not known; known norm_* and fc_* keys: fc_norm, "
       "norm_before_fc, norm_before_residual, norm_output"},
      {R"({"fc_bias": false})",
       "key \"fc_bias\" is not known; known norm_* and fc_* keys: fc_norm, norm_before_fc, norm_before_residual, "
       "norm_output"},
      {R"({"eagle_config": {"norm_input": true}})",
       "key \"norm_input\" is not known; known norm_* and fc_* keys: fc_norm, norm_before_fc, norm_before_residual, "
       "norm_output"},
      {R"({"fc_norm": true, "norm_before_fc": true})", "fc_norm and norm_before_fc exclude each other"},
      {R"({"norm_output": 1})", "norm_output: expected true or false, found 1"},
      {R"({"num_hidden_layers": 2})", "num_hidden_layers: a draft has 1, found 2"},
      {R"({"model_type": "qwen2"})", "model_type: a draft is a \"llama\" or \"qwen3\" layer, found \"qwen2\""},
      {R"({"eagle_config": {"use_aux_hidden_state": false}})",
       "use_aux_hidden_state = false is not supported (only true)"},
      {R"({"eagle_config": {"use_input_layernorm_in_first_layer": false}})",
       "use_input_layernorm_in_first_layer = false is not supported (only true)"},
      {R"({"eagle_config": {"use_last_layernorm": false}})", "use_last_layernorm = false is not supported (only true)"},
      {R"({"eagle_config": {"use_mtp_layernorm": true}})", "use_mtp_layernorm = true is not supported (only false)"},
      {R"({"parallel_drafting": true})", "parallel_drafting = true is not supported (only false)"},
      {R"({"eagle_config": {"parallel_draft_step": 2}})", "parallel_draft_step = 2 is not supported (only 1)"},
      {R"({"bias": true})", "bias = true is not supported (only false)"},
      {R"({"partial_rotary_factor": 0.5})", "partial_rotary_factor = 0.5 is not supported (only 1)"},
      {R"({"eagle_config": {"norm_before_residual": true}})",
       "norm_before_residual is false at the top and true in eagle_config"},
      {R"({"num_aux_hidden_states": 5})",
       "num_aux_hidden_states: expected 3, as many as eagle_aux_hidden_state_layer_ids has by default, found 5"},
      {R"({"speculators_model_type": "peagle", "transformer_layer_config": {}})",
       "speculators_model_type: expected \"eagle3\", found \"peagle\""},
      {R"({"speculators_config": {}, "transformer_layer_config": {"vocab_size": 12}})",
       "vocab_size is 11 at the top and 12 in transformer_layer_config"},
      {R"({"draft_vocab_size": 12})", "draft_vocab_size: expected an integer from 1 to 11, found 12"},
      {R"({"eagle_aux_hidden_state_layer_ids": [0, 3, 4]})",
       "eagle_aux_hidden_state_layer_ids: input id 0 is the embedding, which is no layer's output"},
      {R"({"eagle_aux_hidden_state_layer_ids": [2, 3, 4],
           "eagle_config": {"eagle_aux_hidden_state_layer_ids": [2, 3, 5]}})",
       "eagle_aux_hidden_state_layer_ids at the top and in eagle_config name different layers"},
      {R"({"eagle_config": {"eagle_aux_hidden_state_layer_ids": [1, -2, 3]}})",
       "eagle_aux_hidden_state_layer_ids: expected an integer from 0 to 4096, found -2"},
      {R"({"speculators_config": {}})", "speculators_config without transformer_layer_config"},
  };
  for (const auto& [change, message] : cases)
    EXPECT_EQ(draft_config_error(changed(kSmallDraft, change)), std::string("DIR/config.json: ") + message);
}

void expect_same(const DraftConfig& a, const DraftConfig& b) {
  const auto members = [](const DraftConfig& c) {
    const DecoderConfig& d = c.decoder;
    return std::make_tuple(d.hidden, d.input_width, d.intermediate, d.q_heads, d.kv_heads, d.head_dim, d.norm_eps,
                           d.qkv_bias, d.o_bias, d.mlp_bias, d.qk_norm, d.max_positions, c.target_hidden, c.vocabulary,
                           c.draft_vocabulary, c.tap_ids, c.fc_norm, c.norm_before_fc, c.norm_before_residual,
                           c.norm_output);
  };
  EXPECT_EQ(members(a), members(b));
  EXPECT_TRUE(a.decoder.rope == b.decoder.rope) << to_string(a.decoder.rope) << " and " << to_string(b.decoder.rope);
}

// Every RoPE kind and variant, so that each key is written and read.
std::vector<DraftConfig> configs_to_write() {
  DraftConfig config = read(changed(kSmallDraft, R"({"target_hidden_size": 24, "rms_norm_eps": 3.3e-6})"));
  std::vector<DraftConfig> list = {config};
  config.decoder.rope = {.kind = RopeKind::linear, .theta = 123456.75, .factor = 2.5};
  config.fc_norm = true, config.tap_ids = {2, 4, 5};
  list.push_back(config);
  config.decoder.rope = {.kind = RopeKind::llama3,
                         .theta = 5e5,
                         .factor = 8,
                         .original_max_positions = 8192,
                         .low_frequency_factor = 1.5,
                         .high_frequency_factor = 3.5};
  config.fc_norm = false, config.norm_before_fc = config.norm_before_residual = true;
  config.tap_ids = {1, 2, 3, 5};
  list.push_back(config);
  config.decoder.rope = {.kind = RopeKind::yarn,
                         .theta = 1e6,
                         .factor = 4,
                         .original_max_positions = 4096,
                         .beta_fast = 16,
                         .beta_slow = 0.5,
                         .attention_factor = 1.25,
                         .truncate = false};
  config.norm_output = true, config.decoder.qkv_bias = config.decoder.o_bias = config.decoder.mlp_bias = true;
  list.push_back(config);
  config.decoder.mlp_bias = false, config.decoder.qk_norm = true, config.tap_ids = {4};
  list.push_back(config);
  return list;
}

TEST(DraftConfig, WrittenAndReadAgain) {
  for (const std::string reader : {"", "sglang", "vllm"})
    for (const DraftConfig& config : configs_to_write())
      expect_same(read(write_draft_config(config, reader).dump()), config);
}

TEST(DraftConfig, EverythingAReaderMayMissIsWritten) {
  const Json json = write_draft_config(configs_to_write()[1], "");
  EXPECT_EQ(json.integer("draft_vocab_size"), 5);
  EXPECT_FALSE(json.boolean("norm_before_residual"));
  EXPECT_EQ(json.at("rope_parameters").number("rope_theta"), json.number("rope_theta"));
  EXPECT_EQ(json.at("rope_scaling").text("rope_type"), "linear");
  EXPECT_EQ(json.array("eagle_aux_hidden_state_layer_ids").front().as_integer(), 3);  // layer 2's output is 3's input
  EXPECT_EQ(json.at("eagle_config").array("eagle_aux_hidden_state_layer_ids").front().as_integer(), 3);
}

TEST(DraftConfig, DefaultTapsStayUnwritten) {
  const ModelDirectory directory(kSmallTarget);
  const TargetConfig target = read_target_config(directory.path());
  const DraftConfig derived = derive_draft_config(target, 5);
  EXPECT_EQ(derived.tap_ids, (Ids{1, 2, 3}));
  EXPECT_FALSE(write_draft_config(derived, "").find("eagle_aux_hidden_state_layer_ids"));
  const DraftConfig other = derive_draft_config(target, 5, {0, 2, 3});
  EXPECT_TRUE(write_draft_config(other, "").find("eagle_aux_hidden_state_layer_ids"));
  DraftConfig unknown = derived;
  unknown.target_layers = 0;  // the same ids may not be the default of the target they are for
  EXPECT_TRUE(write_draft_config(unknown, "").find("eagle_aux_hidden_state_layer_ids"));
}

TEST(DraftConfig, DerivedFromTheTarget) {
  const ModelDirectory directory(changed(kSmallTarget, R"({"attention_bias": true, "head_dim": 6,
      "rope_scaling": {"rope_type": "linear", "factor": 3}})"));
  const TargetConfig target = read_target_config(directory.path());
  const DraftConfig draft = derive_draft_config(target, 5);
  EXPECT_TRUE(draft.decoder.rope == target.decoder.rope);
  EXPECT_EQ(draft.decoder.max_positions, 64);
  EXPECT_EQ(draft.decoder.head_dim, 6);
  EXPECT_EQ(draft.decoder.input_width, 16);
  EXPECT_FALSE(draft.decoder.qkv_bias || draft.decoder.o_bias);
  EXPECT_THROW(derive_draft_config(target, 12), Error);
  EXPECT_THROW(derive_draft_config(target, 0), Error);
  EXPECT_THROW(derive_draft_config(target, 5, {1, 2, 7}), Error);
}

TEST(DraftConfig, TapIdsOfTheCommandLine) {
  DraftConfig config = read(kSmallDraft);
  override_tap_ids(config, {0, 1, 6});
  EXPECT_EQ(config.tap_ids, (Ids{0, 1, 6}));
  EXPECT_THROW(override_tap_ids(config, {0, 1}), Error);
}

TEST(DraftConfig, WhatAReaderCannotBeToldIsRefused) {
  DraftConfig config = read(kSmallDraft);
  config.tap_ids = {0, 2, 3};
  EXPECT_THROW(write_draft_config(config, "sglang"), Error);
  EXPECT_EQ(write_draft_config(config, "vllm").array("eagle_aux_hidden_state_layer_ids").front().as_integer(), 1);
  EXPECT_THROW(write_draft_config(config, "tensorrt"), Error);
}

}  // namespace
}  // namespace eyrie
