// Models and drafts as people have them, through the program: what loads, and what is refused by name.
#include <cstring>

#include "io/safetensors.h"
#include "training.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using testing::write_bytes;

// `config` with the members of `changes` set in it.
std::string changed(const std::string& config, const std::string& changes) {
  Json object = Json::parse(config, "test");
  const Json members = Json::parse(changes, "changes");
  for (const auto& [key, value] : members.as_members()) object.set(key, value);
  return object.dump();
}

// A header and zeros behind it, whatever they say.
void write_weights(const std::string& path, const std::string& header, size_t bytes) {
  const uint64_t length = header.size();
  std::string start(sizeof length, '\0');
  std::memcpy(start.data(), &length, sizeof length);
  write_bytes(path, start + header + std::string(bytes, '\0'));
}

class Models : public Training {
 protected:
  // A run of two steps with a draft whose config.json has `changes`; gives the checkpoint.
  std::string trained(const std::string& changes, const std::string& tap_ids) {
    fs::create_directories(path("config"));
    write_bytes(path("config/config.json"), changed(kDraftConfig, changes));
    const Arguments more{"--steps", "2", "--draft-config", path("config"), "--tap-ids", tap_ids};
    expect_success(eyrie(train_on_data("run", more)));
    return checkpoints_in(path("run")).back();
  }
  Outcome generate(const Arguments& more) const {
    return eyrie(Arguments{"generate", "--model", kFledgling, "--prompt", "What is 12 + 30?"} + more);
  }
  // The draft in a directory of its own, after a change of its config.json and a tensor beside its own.
  std::string draft_beside(const std::string& draft, const std::string& changes, const std::string& name) const {
    const std::string to = path("changed");
    fs::create_directories(to);
    write_bytes(to + "/config.json", changed(read_bytes(draft + "/config.json"), changes));
    const SafetensorsFile file = SafetensorsFile::open(draft + "/model.safetensors");
    std::vector<NamedTensor> tensors;
    for (const auto& [each, tensor] : file.tensors()) tensors.push_back({each, tensor});
    const float zeros[256] = {};
    if (!name.empty()) tensors.push_back({name, ConstTensor(zeros, DType::f32, {256})});
    write_safetensors(to + "/model.safetensors", tensors);
    return to;
  }

  static constexpr const char* kDraftConfig = R"({"model_type": "llama", "hidden_size": 256, "intermediate_size": 64,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "rms_norm_eps": 1e-05, "vocab_size": 2048,
    "draft_vocab_size": 2048, "max_position_embeddings": 2048, "rope_theta": 10000.0, "norm_before_residual": false})";
};

TEST_F(Models, ADraftWithNormsOnQAndKIsTrainedServedAndExported) {
  const std::string draft = trained(R"({"model_type": "qwen3"})", "1,3,4");
  const Outcome seen = eyrie({"inspect", draft, "--against", kFledgling});
  EXPECT_NE(seen.out.find("norms on q, k"), std::string::npos) << seen.out << seen.error;
  EXPECT_EQ(generate({"--draft", draft}).out, generate({}).out);
  expect_success(eyrie({"export", "--checkpoint", draft, "--output", path("vllm"), "--for", "vllm"}));
  EXPECT_EQ(Json::parse_file(path("vllm/config.json")).text("model_type"), "qwen3");
  expect_success(generate({"--draft", path("vllm")}));
  EXPECT_EQ(unlike_failure(eyrie({"export", "--checkpoint", draft, "--output", path("sglang"), "--for", "sglang"}), 1,
                           "sglang would not read it as it is meant"),
            "");
  EXPECT_FALSE(fs::exists(path("sglang")));
}

TEST_F(Models, ADraftOfAnyNumberOfTaps) {
  for (const std::string taps : {"4", "0,2,3,5,6"}) {
    fs::remove_all(path("run"));
    const std::string draft = trained("{}", taps);
    EXPECT_EQ(generate({"--draft", draft}).out, generate({}).out);
    expect_success(eyrie({"export", "--checkpoint", draft, "--output", path("out" + taps), "--for", "vllm"}));
    const Outcome seen = eyrie({"inspect", path("out" + taps), "--against", kFledgling});
    EXPECT_NE(seen.out.find("The draft fits the target."), std::string::npos) << seen.out << seen.error;
  }
}

TEST_F(Models, ADraftIsComputedWholeOrRefused) {
  const std::string draft = trained("{}", "1,3,4");
  const std::pair<const char*, const char*> kCases[] = {{"{}", "fc.bias"},
                                                        {"{}", "layers.1.mlp.up_proj.weight"},
                                                        {"{}", "midlayer.self_attn.q_norm.weight"},
                                                        {R"({"eagle_config": {"use_last_layernorm": false}})", ""},
                                                        {R"({"eagle_config": {"use_aux_hidden_state": false}})", ""},
                                                        {R"({"parallel_drafting": true})", ""}};
  for (const auto& [changes, tensor] : kCases) {
    const std::string other = draft_beside(draft, changes, tensor);
    const std::string place =
        *tensor ? "/model.safetensors: " + std::string(tensor) + ": would be left out" : "/config.json: ";
    EXPECT_EQ(unlike_failure(generate({"--draft", other}), 1, other + place), "");
    EXPECT_EQ(unlike_failure(eyrie({"inspect", other}), 1, other + place), "");
    EXPECT_EQ(unlike_failure(eyrie({"export", "--checkpoint", other, "--output", path("out")}), 1, other + place), "");
  }
  const std::string harmless =
      draft_beside(draft, R"({"model_type": "qwen3"})", "midlayer.self_attn.rotary_emb.inv_freq");
  EXPECT_EQ(generate({"--draft", harmless}).out, generate({}).out);
}

// Of a target that we cannot run, training from features needs the head and the embeddings alone.
TEST_F(Models, WhatStandsBesideTheHeadsOfATargetRefusesNothing) {
  expect_success(
      eyrie({"capture", "--model", kFledgling, "--input", data(), "--tap-ids", "1,3,4", "--output", path("f")}));
  fs::create_directories(path("config"));
  write_bytes(path("config/config.json"), kDraftConfig);
  fs::create_directories(path("target"));
  constexpr size_t kBytes = 2048 * 256 * 2;
  const auto planned = [&](const std::string& config, const std::string& beside, size_t bytes) {
    write_bytes(path("target/config.json"), config);
    write_weights(path("target/model.safetensors"),
                  R"({"__metadata__": null, "model.embed_tokens.weight": {"dtype": "BF16", "shape": [2048, 256],
                      "data_offsets": [0, 1048576]})" +
                      beside + "}",
                  kBytes + bytes);
    return eyrie({"train", "--target-weights", path("target"), "--draft-config", path("config"), "--features",
                  path("f"), "--tap-ids", "1,3,4", "--steps", "1", "--plan"});
  };
  const std::string tied = R"({"model_type": "seer", "text_config": {"tie_word_embeddings": true})";
  expect_success(planned(tied + R"(, "time_step_limit": [0.0, Infinity], "x": NaN})", "", 0));
  for (const char* dtype : {"F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "I16", "U16", "U32", "F64", "F4", "BF99"})
    expect_success(planned(
        tied + "}",
        std::string(R"(, "q": {"dtype": ")") + dtype + R"(", "shape": [1], "data_offsets": [1048576, 1048584]})", 8));
  EXPECT_EQ(unlike_failure(planned(R"({"model_type": "seer"})", "", 0), 1, "--lm-head-key model.embed_tokens.weight"),
            "");
  EXPECT_EQ(unlike_failure(planned(tied + R"(, "num_hidden_layers": NaN})", "", 0), 1,
                           "num_hidden_layers: expected an integer, found nan"),
            "");
}

// Files that a download did not bring.
TEST_F(Models, PointersAndWebPagesAreNamed) {
  const std::pair<const char*, const char*> kBytes[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 49766\n",
       "is a Git LFS pointer: git lfs pull"},
      {"<!DOCTYPE html>\n<html><title>401 Unauthorized</title></html>", "is a web page"}};
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    for (const auto& [bytes, message] : kBytes) {
      const std::string target = path("target");
      fs::remove_all(target);
      fs::copy(kFledgling, target);
      write_bytes(target + "/" + file, bytes);
      const Outcome outcome = eyrie({"generate", "--model", target, "--prompt", "Hi"});
      EXPECT_EQ(unlike_failure(outcome, 1, target + "/" + file + ": " + message), "");
    }
}

}  // namespace
}  // namespace eyrie::e2e
