#include <gtest/gtest.h>

#include <cmath>

#include "model/model_files_cases.h"
#include "model/weights.h"
#include "testing/compare.h"

namespace eyrie {
namespace {

std::string load_error(const ModelDirectory& directory) {
  return error_of(directory, [&] { load_target(directory.path()); });
}

// Loading after `change` of the small target's file.
std::string error_after(const std::function<void(TensorFile&)>& change, const std::string& config = kSmallTarget) {
  const ModelDirectory directory(config);
  TensorFile file = target_file(directory, "TargetLoad");
  change(file);
  file.write(directory);
  return load_error(directory);
}

TEST(TargetLoad, SaysWhichTensorIsWrong) {
  EXPECT_EQ(error_after([](TensorFile&) {}), "");
  EXPECT_EQ(error_after([](TensorFile& file) { file.remove("model.layers.3.mlp.up_proj.weight"); }),
            "DIR: model.layers.3.mlp.up_proj.weight: missing tensor; expected one of shape [12, 8]");
  EXPECT_EQ(error_after([](TensorFile& file) {
              file.add("model.layers.3.mlp.up_proj.weight", {8, 12});
            }),
            "DIR: model.layers.3.mlp.up_proj.weight: expected shape [12, 8], found [8, 12]");
  EXPECT_EQ(error_after([](TensorFile& file) {
              file.add("model.norm.weight", {8, 1});
            }),
            "DIR: model.norm.weight: expected shape [8], found [8, 1]");
  EXPECT_EQ(error_after([](TensorFile& file) { file.add("model.norm.weight", {8}, DType::i64); }),
            "DIR: model.norm.weight: expected f32 or bf16 or f16, found i64");
  EXPECT_EQ(error_after([](TensorFile& file) { file.remove("lm_head.weight"); }),
            "DIR: lm_head.weight: missing tensor; expected one of shape [11, 8]");
  EXPECT_EQ(error_after([](TensorFile& file) {
              file.add("fc.weight", {8, 24});
            }),
            "DIR: holds a draft (its weights have fc.weight); expected a target");
  EXPECT_EQ(error_after([](TensorFile&) {}, changed(kSmallTarget, R"({"num_hidden_layers": 7})")), "");
}

TEST(TargetLoad, ValuesThatAreNotFiniteAreNamed) {
  const auto spoil = [](TensorFile& file, const char* name, int64_t place, float value) {
    const_cast<float*>(file.at(name).as<float>())[place] = value;
  };
  EXPECT_EQ(error_after([&](TensorFile& file) { spoil(file, "model.norm.weight", 5, INFINITY); }),
            "DIR/model.safetensors: model.norm.weight: expected finite values, found inf at [5] (1 of 8 not finite)");
  EXPECT_EQ(error_after([&](TensorFile& file) {
              spoil(file, "model.layers.3.mlp.up_proj.weight", 17, NAN);
              spoil(file, "model.layers.3.mlp.up_proj.weight", 90, NAN);
            }),
            "DIR/model.safetensors: model.layers.3.mlp.up_proj.weight: expected finite values, found nan at [2, 1] (2 "
            "of 96 not finite)");
  EXPECT_EQ(error_after([&](TensorFile& file) {
              file.add("nobody.asks", {3});
              spoil(file, "nobody.asks", 0, NAN);
            }),
            "");
}

TEST(TargetLoad, ALyingConfigFails) {
  for (const char* const lie :
       {R"({"num_hidden_layers": 8})", R"({"num_hidden_layers": 4096})", R"({"hidden_size": 1048576})",
        R"({"vocab_size": 16777216})", R"({"head_dim": 4096})", R"({"intermediate_size": 1048576})",
        R"({"num_key_value_heads": 1})", R"({"attention_bias": true})", R"({"model_type": "qwen3", "head_dim": 2})"}) {
    const ModelDirectory honest(kSmallTarget), lying(changed(kSmallTarget, lie));
    target_file(honest, "TargetLoad").write(lying);
    EXPECT_NE(load_error(lying), "") << lie;
  }
}

TEST(TargetLoad, NoWeights) {
  ModelDirectory directory(kSmallTarget);
  EXPECT_EQ(load_error(directory),
            "DIR: expected model.safetensors, model.safetensors.index.json or other *.safetensors, found none");
  directory.write("pytorch_model.bin", "x");
  EXPECT_NE(load_error(directory).find("is a pickle"), std::string::npos);
  directory.write("model.safetensors", "12345678");
  EXPECT_NE(load_error(directory), "");
}

TEST(TargetLoad, TiedEmbeddingsAreTheHead) {
  const ModelDirectory directory(changed(kSmallTarget, R"({"tie_word_embeddings": true})"));
  TensorFile file = target_file(directory, "TargetLoad");
  file.add("lm_head.weight", {3, 3});  // not read
  file.write(directory);
  const Target target = load_target(directory.path());
  EXPECT_EQ(target.tensors.lm_head.data, target.tensors.embedding.data);
}

TEST(TargetLoad, MatricesStayAsStoredVectorsBecomeF32) {
  const ModelDirectory directory(kSmallTarget);
  TensorFile file = target_file(directory, "TargetLoad");
  file.add("model.norm.weight", {8}, DType::bf16);
  file.add("lm_head.weight", {11, 8}, DType::f16);
  file.write(directory);
  const Target target = load_target(directory.path());
  EXPECT_EQ(target.tensors.norm.dtype, DType::f32);
  EXPECT_EQ(target.tensors.lm_head.dtype, DType::f16);
  EXPECT_TRUE(testing::compare("norm", target.tensors.norm, file.at("model.norm.weight")).passed());
}

TEST(TargetLoad, FingerprintTellsModelsApart) {
  const ModelDirectory directory(kSmallTarget);
  const auto fingerprint_after = [&](const std::function<void(TensorFile&)>& change) {
    TensorFile file = target_file(directory, "TargetLoad");
    change(file);
    file.write(directory);
    return load_target(directory.path()).fingerprint;
  };
  const std::string first = fingerprint_after([](TensorFile&) {});
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(first, fingerprint_after([](TensorFile&) {}));
  const auto touch = [](int64_t index) {
    return [index](TensorFile& file) { const_cast<float*>(file.at("lm_head.weight").as<float>())[index] += 1; };
  };
  EXPECT_NE(first, fingerprint_after(touch(0)));
  EXPECT_NE(first, fingerprint_after(touch(87)));
  EXPECT_NE(first, fingerprint_after([](TensorFile& file) { file.add("extra", {1}); }));
}

// A model in FP8 is told from another by what no op takes, too.
TEST(TargetLoad, FingerprintKnowsOtherTensors) {
  ModelDirectory directory("{}");
  const auto fingerprint_of = [&](const std::string& dtype, char value) {
    const std::string header = R"({"w": {"dtype": ")" + dtype + R"(", "shape": [1], "data_offsets": [0, 1]}})";
    const uint64_t length = header.size();
    directory.write("model.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + header + value);
    return fingerprint(WeightFiles::open(directory.path()));
  };
  const std::string first = fingerprint_of("F8_E4M3", 1);
  EXPECT_EQ(first, fingerprint_of("F8_E4M3", 1));
  EXPECT_NE(first, fingerprint_of("F8_E4M3", 2));
  EXPECT_NE(first, fingerprint_of("F8_E5M2", 1));
}

TEST(TargetLoad, HeadsOfAnyModel) {
  const ModelDirectory directory(R"({"model_type": "never heard of"})");
  TensorFile file("TargetLoad");
  file.add("a.head", {11, 6}, DType::bf16), file.add("an.embedding", {11, 8});
  file.write(directory);
  const TargetHeads heads = load_target_heads(directory.path(), "a.head", "an.embedding");
  EXPECT_EQ(heads.lm_head.dim(1), 6);
  EXPECT_EQ(heads.embedding.dim(1), 8);
  EXPECT_EQ(error_of(directory, [&] { load_target_heads(directory.path(), "lm_head.weight", "an.embedding"); }),
            "DIR: lm_head.weight: missing tensor, and config.json does not say tie_word_embeddings; if the embeddings "
            "are the head: --lm-head-key an.embedding");

  const ModelDirectory inside(R"({"model_type": "qwen3_vl", "text_config": {"tie_word_embeddings": true}})");
  file.write(inside);
  EXPECT_EQ(load_target_heads(inside.path(), "lm_head.weight", "an.embedding").lm_head.dim(1), 8);

  const ModelDirectory tied(R"({"model_type": "never heard of", "tie_word_embeddings": true})");
  file.write(tied);
  const TargetHeads same = load_target_heads(tied.path(), "lm_head.weight", "an.embedding");
  EXPECT_EQ(same.lm_head.data, same.embedding.data);
  EXPECT_EQ(load_target_heads(tied.path(), "a.head", "an.embedding").lm_head.dim(1), 6);
  EXPECT_THROW(load_target_heads(tied.path(), "another.head", "an.embedding"), Error);
}

TEST(TargetLoad, HeadsAreThoseOfTheWholeModel) {
  for (const char* tied : {"false", "true"}) {
    const ModelDirectory directory(changed(kSmallTarget, std::string(R"({"tie_word_embeddings": )") + tied + "}"));
    TensorFile file = target_file(directory, "TargetLoad");
    file.add(kLmHeadKey, {11, 8});  // not read when tied
    file.write(directory);
    const Target target = load_target(directory.path());
    const TargetHeads whole = heads_of(target), heads = load_target_heads(directory.path());
    EXPECT_TRUE(testing::compare_bits("lm_head", heads.lm_head, whole.lm_head).passed()) << tied;
    EXPECT_TRUE(testing::compare_bits("embedding", heads.embedding, whole.embedding).passed()) << tied;
    EXPECT_TRUE(testing::compare_bits("norm", heads.norm, whole.norm).passed()) << tied;
    EXPECT_EQ(heads.fingerprint, whole.fingerprint);
  }
}

}  // namespace
}  // namespace eyrie
