#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "model/draft_readers.h"
#include "model/model_files_cases.h"
#include "testing/compare.h"

namespace eyrie {
namespace {

using Strings = std::vector<std::string>;

// Embeddings of the small target.
struct Heads {
  Heads() : embedding(DType::f32, {11, 8}), heads{embedding, embedding, {}, nullptr} { fill_zero(embedding); }
  Buffer embedding;
  TargetHeads heads;
};

std::string load_error(const ModelDirectory& directory, const TargetHeads& heads) {
  return error_of(directory, [&] { load_draft(directory.path(), heads); });
}

std::string error_after(const std::function<void(TensorFile&)>& change, const std::string& config = kSmallDraft) {
  const ModelDirectory directory(config);
  TensorFile file = draft_file(directory, "DraftLoad");
  change(file);
  file.write(directory);
  return load_error(directory, Heads().heads);
}

int64_t* offsets(TensorFile& file) { return const_cast<int64_t*>(file.at("d2t").as<int64_t>()); }

TEST(DraftLoad, SaysWhichTensorIsWrong) {
  EXPECT_EQ(error_after([](TensorFile&) {}), "");
  EXPECT_EQ(error_after([](TensorFile& file) {
              file.add("fc.weight", {8, 16});
            }),
            "DIR: fc.weight: expected shape [8, 24], found [8, 16]");
  EXPECT_EQ(error_after([](TensorFile& file) { file.remove("midlayer.hidden_norm.weight"); }),
            "DIR: midlayer.hidden_norm.weight: missing tensor; expected one of shape [8]");
  EXPECT_EQ(error_after([](TensorFile& file) { file.remove("fc.weight"); }),
            "DIR: holds no draft: its weights have no fc.weight");
  EXPECT_EQ(error_after([](TensorFile& file) {
              file.add("embed_tokens.weight", {10, 8});
            }),
            "DIR: embed_tokens.weight: expected shape [11, 8], found [10, 8]");
}

// The shard is named, and the name that the file has for it.
TEST(DraftLoad, ValuesThatAreNotFiniteAreNamed) {
  const ModelDirectory directory(kSmallDraft);
  TensorFile file = draft_file(directory, "DraftLoad");
  const_cast<float*>(file.at("fc.weight").as<float>())[3] = NAN;
  file.rename("fc.weight", "model.fc.weight");
  file.write(directory);
  std::filesystem::rename(directory.path() + "/model.safetensors", directory.path() + "/shard.safetensors");
  EXPECT_EQ(
      load_error(directory, Heads().heads),
      "DIR/shard.safetensors: model.fc.weight: expected finite values, found nan at [0, 3] (1 of 192 not finite)");
}

TEST(DraftLoad, SaysWhatIsWrongWithTheVocabulary) {
  EXPECT_EQ(error_after([](TensorFile& file) { file.remove("d2t"); }),
            "DIR: d2t: missing tensor; the draft vocabulary has 5 of the target's 11 tokens");
  const auto problem = [](int64_t entry, int64_t offset) {
    return error_after([=](TensorFile& file) { offsets(file)[entry] = offset; });
  };
  const std::string outside = "gives a target id that is not from 0 to 10";
  EXPECT_EQ(problem(4, 7), "DIR: d2t: entry 4 " + outside);
  EXPECT_EQ(problem(0, -1), "DIR: d2t: entry 0 " + outside);
  EXPECT_EQ(problem(4, INT64_MAX), "DIR: d2t: entry 4 " + outside);
  EXPECT_EQ(problem(2, 0), "DIR: d2t: entry 2 gives target id 2, which an entry before it gives too");
  EXPECT_EQ(problem(4, 5), "DIR: t2d: says true of target id 8, d2t says false");
  EXPECT_EQ(error_after([](TensorFile& file) { file.add("d2t", {4}, DType::i64); }),
            "DIR: d2t: expected 5 entries, found 4");
  EXPECT_EQ(error_after([](TensorFile& file) { file.add("d2t", {5}); }),
            "DIR/model.safetensors: d2t: expected integers, found f32");
  EXPECT_EQ(error_after([](TensorFile& file) { file.add("d2t", {11}, DType::i64), offsets(file)[3] = 1; },
                        changed(kSmallDraft, R"({"draft_vocab_size": 11})")),
            "DIR: d2t: expected zeros: the draft vocabulary is the target's");
}

// The ids themselves fit no other reading, or t2d says so.
TEST(DraftLoad, IdsInPlaceOfOffsets) {
  const std::string message = "DIR: d2t: holds ids, not offsets: expected target id - draft id in each entry";
  const auto with_ids = [](std::vector<int64_t> ids, bool t2d) {
    return error_after([&](TensorFile& file) {
      std::ranges::copy(ids, offsets(file));
      if (!t2d) return file.remove("t2d");
      auto* marks = const_cast<bool*>(file.at("t2d").as<bool>());
      std::fill(marks, marks + 11, false);
      for (const int64_t id : ids) marks[id] = true;
    });
  };
  EXPECT_EQ(with_ids({1, 3, 5, 7, 9}, false), message);
  EXPECT_EQ(with_ids({1, 3, 5, 7, 9}, true), message);
  EXPECT_EQ(with_ids({0, 1, 2, 3, 5}, true), message);  // 0, 2, 4, 6, 9 as offsets
}

// int32 maps, a t2d of int64, a map in any order: each says what the usual one says.
TEST(DraftLoad, OtherSpellingsOfTheVocabulary) {
  const ModelDirectory directory(kSmallDraft);
  const auto load_after = [&](const std::function<void(TensorFile&)>& change) {
    TensorFile file = draft_file(directory, "DraftLoad");
    change(file);
    file.write(directory);
    return load_draft(directory.path(), Heads().heads);
  };
  const std::vector<int32_t> narrow = {0, 1, 2, 3, 4};
  std::vector<int64_t> wide(11);
  for (size_t id = 0; id < 9; id += 2) wide[id] = 1;
  const Draft usual = load_after([](TensorFile&) {});
  const std::vector<size_t> order = {4, 1, 0, 3, 2};  // of the usual rows in the mixed file: target ids 8, 2, 0, 6, 4
  const std::vector<int64_t> mixed = {8 - 0, 2 - 1, 0 - 2, 6 - 3, 4 - 4};
  Buffer rows(DType::f32, usual.tensors.lm_head.shape);
  for (size_t i = 0; i < order.size(); ++i)
    copy(usual.tensors.lm_head[static_cast<int64_t>(order[i])], rows.tensor()[static_cast<int64_t>(i)]);
  const std::function<void(TensorFile&)> spellings[] = {
      [&](TensorFile& file) { file.set("d2t", ConstTensor(narrow.data(), DType::i32, {5})); },
      [&](TensorFile& file) { file.set("t2d", ConstTensor(wide.data(), DType::i64, {11})); },
      [&](TensorFile& file) {
        file.set("d2t", ConstTensor(mixed.data(), DType::i64, {5}));
        file.set("lm_head.weight", rows);
      }};
  for (const auto& change : spellings) {
    const Draft found = load_after(change);
    EXPECT_EQ(found.vocabulary.d2t, usual.vocabulary.d2t);
    EXPECT_EQ(found.vocabulary.t2d, usual.vocabulary.t2d);
    EXPECT_TRUE(testing::compare_bits("lm_head", found.tensors.lm_head, usual.tensors.lm_head).passed());
  }
}

TEST(DraftLoad, MapsOfAFullVocabularyAreBuffers) {
  const auto with_maps = [](TensorFile& file) {
    file.add("d2t", {11}, DType::i64);
    file.add("t2d", {11}, DType::boolean);
  };
  EXPECT_EQ(error_after(with_maps, changed(kSmallDraft, R"({"draft_vocab_size": 11})")), "");
}

// What nothing reads would change what the draft computes.
TEST(DraftLoad, TensorsThatWouldBeLeftOut) {
  const auto beside = [](const char* name, const Shape& shape = {8}, const std::string& config = kSmallDraft) {
    return error_after([&](TensorFile& file) { file.add(name, shape); }, config);
  };
  for (const char* name : {"input_norm.weight", "midlayer.self_attn.q_proj.bias", "fc.bias", "lm_head.bias",
                           "mask_hidden", "model.norm.weight"})
    EXPECT_EQ(beside(name), std::string("DIR/model.safetensors: ") + name +
                                ": would be left out: the draft that config.json describes has no such tensor");
  for (const char* name : {"midlayer.self_attn.q_norm.weight", "layers.0.self_attn.k_norm.weight"})
    EXPECT_EQ(beside(name), std::string("DIR/model.safetensors: ") + name +
                                ": would be left out: only a draft of model_type \"qwen3\" has norms on q and k");
  for (const char* name : {"layers.1.mlp.up_proj.weight", "model.layers.1.input_layernorm.weight"})
    EXPECT_EQ(beside(name), std::string("DIR/model.safetensors: ") + name +
                                ": would be left out: a draft of one layer is supported, this one has more");
  for (const char* name : {"midlayer.self_attn.rotary_emb.inv_freq", "verifier_lm_head.weight", "verifier_norm.weight"})
    EXPECT_EQ(beside(name), "");
  EXPECT_EQ(beside("embed_tokens.weight", {11, 8}), "");
}

// model_type "qwen3" has norms on q and k; drafts of a plain layer carry the name too.
TEST(DraftLoad, NormsOnQAndKAreWhatTheTensorsSay) {
  const std::string config = changed(kSmallDraft, R"({"model_type": "qwen3", "head_dim": 2})");
  const ModelDirectory directory(config);
  TensorFile file = draft_file(directory, "DraftLoad");
  file.rename("midlayer.self_attn.q_norm.weight", "layers.0.self_attn.q_norm.weight");
  file.write(directory);
  const Draft normed = load_draft(directory.path(), Heads().heads);
  EXPECT_TRUE(normed.config.decoder.qk_norm);
  EXPECT_EQ(normed.tensors.layer.q_norm.shape, Shape{2});
  EXPECT_EQ(error_after([](TensorFile& one) { one.remove("midlayer.self_attn.q_norm.weight"); }, config),
            "DIR: midlayer.self_attn.q_norm.weight: missing tensor; expected one of shape [2]");
  for (const char* norm : {"layers.0.self_attn.q_norm.weight", "midlayer.self_attn.k_norm.weight"}) file.remove(norm);
  file.write(directory);
  EXPECT_FALSE(load_draft(directory.path(), Heads().heads).config.decoder.qk_norm);
}

TEST(DraftLoad, T2dIsMadeWhenMissing) {
  const ModelDirectory directory(kSmallDraft);
  TensorFile file = draft_file(directory, "DraftLoad");
  file.remove("t2d");
  file.write(directory);
  const Draft draft = load_draft(directory.path(), Heads().heads);
  EXPECT_EQ(draft.vocabulary.t2d, (std::vector<uint8_t>{1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(draft.vocabulary.target_id(3), 6);
}

TEST(DraftLoad, OtherSpellingsOfNames) {
  const ModelDirectory directory(kSmallDraft);
  TensorFile file = draft_file(directory, "DraftLoad");
  const Strings moved = {"midlayer.hidden_norm.weight", "midlayer.mlp.up_proj.weight"};
  for (const std::string& name : moved) file.rename(name, "layers.0." + name.substr(9));
  file.rename("norm.weight", "model.norm.weight");
  file.write(directory);
  EXPECT_EQ(load_error(directory, Heads().heads), "");
}

TEST(DraftLoad, EmbeddingOfTheFileOrOfTheTarget) {
  const ModelDirectory directory(kSmallDraft);
  TensorFile file = draft_file(directory, "DraftLoad");
  file.write(directory);
  const Heads heads;
  const Draft borrowed = load_draft(directory.path(), heads.heads);
  EXPECT_FALSE(borrowed.own_embedding);
  EXPECT_EQ(borrowed.embedding.data, heads.heads.embedding.data);
  EXPECT_EQ(load_error(directory, {}), "DIR: no embed_tokens.weight, and the target gives no embeddings");
  Heads wide;
  wide.embedding = Buffer(DType::f32, {11, 16}), wide.heads.embedding = wide.embedding;
  EXPECT_EQ(load_error(directory, wide.heads),
            "DIR: no embed_tokens.weight, and the target's embeddings have shape [11, 16]; expected [11, 8]");
  file.add("embed_tokens.weight", {11, 8});
  file.write(directory);
  EXPECT_TRUE(load_draft(directory.path(), wide.heads).own_embedding);
}

TEST(DraftLoad, TellsDraftsFromTargets) {
  const ModelDirectory draft(kSmallDraft), target(kSmallTarget);
  draft_file(draft, "DraftLoad").write(draft);
  target_file(target, "DraftLoad").write(target);
  EXPECT_TRUE(is_draft(draft.path()));
  EXPECT_FALSE(is_draft(target.path()));
  const ModelDirectory other(changed(kSmallDraft, R"({"eagle_config": {"use_aux_hidden_state": false}})"));
  TensorFile file = draft_file(draft, "DraftLoad");
  file.remove("fc.weight");
  file.write(other);
  EXPECT_TRUE(is_draft(other.path()));
}

// A draft of random weights in memory, as training has it.
class DraftWrite : public ::testing::Test {
 protected:
  void load(const std::string& config) {
    source = std::make_unique<ModelDirectory>(config);
    draft_file(*source, "DraftWrite").write(*source);
    draft = load_draft(source->path(), heads.heads);
  }
  void write(const std::string& reader, DType dtype = DType::f32, ConstTensor embedding = {}) {
    write_draft(out.path(), {draft.config, draft.tensors, draft.vocabulary, embedding, dtype, reader});
  }
  Strings problems_for(const std::string& reader) { return export_problems(out.path(), find_draft_reader(reader)); }

  Heads heads;
  std::unique_ptr<ModelDirectory> source;
  ModelDirectory out{"{}"};
  Draft draft;
};

TEST_F(DraftWrite, ReadAgainItIsTheSame) {
  for (const char* const change : {"{}", R"({"draft_vocab_size": 11, "norm_output": true, "fc_norm": true})",
                                   R"({"target_hidden_size": 6, "attention_bias": true, "mlp_bias": true,
                                       "norm_before_fc": true,
                                       "eagle_config": {"eagle_aux_hidden_state_layer_ids": [1, 2, 3, 5]}})",
                                   R"({"model_type": "qwen3", "head_dim": 2,
                                       "eagle_config": {"eagle_aux_hidden_state_layer_ids": [4]}})"}) {
    load(changed(kSmallDraft, change));
    write("");
    const Draft again = load_draft(out.path(), heads.heads);
    EXPECT_EQ(again.config.tap_ids, draft.config.tap_ids);
    EXPECT_EQ(again.vocabulary.d2t, draft.vocabulary.d2t);
    EXPECT_EQ(again.vocabulary.t2d, draft.vocabulary.t2d);
    Strings names;
    std::vector<ConstTensor> first;
    for_each_tensor(draft.config, draft.tensors, [&](const std::string& name, const Shape&, const ConstTensor& tensor) {
      names.push_back(name), first.push_back(tensor);
    });
    size_t next = 0;
    for_each_tensor(again.config, again.tensors, [&](const std::string& name, const Shape&, const ConstTensor& tensor) {
      ASSERT_LT(next, names.size());
      EXPECT_EQ(name, names[next]);
      EXPECT_TRUE(testing::compare_bits(name, tensor, first[next]).passed());
      ++next;
    });
    EXPECT_EQ(next, names.size());
  }
}

TEST_F(DraftWrite, RoundsToBf16) {
  load(kSmallDraft);
  write("", DType::bf16);
  const Draft again = load_draft(out.path(), heads.heads);
  EXPECT_EQ(again.tensors.fc.dtype, DType::bf16);
  EXPECT_TRUE(testing::compare("fc", again.tensors.fc, draft.tensors.fc, {5e-3, 5e-3}).passed());
}

TEST_F(DraftWrite, WritesAnEmbeddingWhenGivenOne) {
  load(kSmallDraft);
  const Tensor embedding = heads.embedding;
  embedding.as<float>()[3] = 7;
  write("", DType::f32, embedding);
  const Draft again = load_draft(out.path(), {});
  EXPECT_TRUE(again.own_embedding);
  EXPECT_TRUE(testing::compare_bits("embedding", again.embedding, embedding).passed());
}

TEST_F(DraftWrite, FitsItsReaders) {
  load(kSmallDraft);
  for (const std::string reader : {"sglang", "vllm"}) {
    write(reader, DType::bf16, heads.heads.embedding);
    EXPECT_EQ(problems_for(reader), Strings());
    draft.config.tap_ids = {1, 2, 4};  // not the default
    write(reader);
    EXPECT_EQ(problems_for(reader), Strings());
    draft.config.tap_ids = {};
  }
  load(changed(kSmallDraft, R"({"draft_vocab_size": 11, "attention_bias": true, "mlp_bias": true, "fc_norm": true,
                                "norm_before_residual": true, "rope_scaling": {"type": "linear", "factor": 2}})"));
  write("vllm");
  EXPECT_EQ(problems_for("vllm"), Strings());
  EXPECT_EQ(problems_for("sglang"),
            (Strings{"sglang does not know norm_before_residual", "sglang leaves out the biases of the layer"}));
}

TEST_F(DraftWrite, NormsOnQAndKFitVllm) {
  load(changed(kSmallDraft, R"({"model_type": "qwen3", "head_dim": 2})"));
  for (const std::string reader : {"vllm", "sglang"}) write(reader);
  EXPECT_EQ(problems_for("vllm"), Strings());
  EXPECT_EQ(problems_for("sglang"), Strings{"sglang has no draft layer with norms on q and k"});
  EXPECT_TRUE(read_draft_config(out.path()).decoder.qk_norm);
  load(changed(kSmallDraft, R"({"model_type": "qwen3", "head_dim": 2, "attention_bias": true})"));
  write("vllm");
  EXPECT_EQ(problems_for("vllm"), Strings{"vllm has no biases of o and the MLP beside norms on q and k"});
}

TEST_F(DraftWrite, AnyNumberOfTapsFitsItsReaders) {
  for (const char* ids : {"[2]", "[2, 5]", "[0, 1, 2, 4, 6]"}) {
    load(changed(kSmallDraft, std::string(R"({"eagle_config": {"eagle_aux_hidden_state_layer_ids": )") + ids + "}}"));
    for (const std::string reader : {"vllm", "sglang"}) {
      if (ids[1] == '0' && reader == "sglang") continue;  // cannot be told to tap layer 0
      write(reader);
      EXPECT_EQ(problems_for(reader), Strings()) << reader << ids;
    }
  }
}

// What the check says after a change of the written directory.
class ExportCheck : public DraftWrite {
 protected:
  void SetUp() override {
    load(kSmallDraft);
    draft.config.tap_ids = {1, 2, 4};
    write("sglang");
  }
  Strings after(const std::string& changes, const std::string& reader = "sglang") {
    const std::string path = out.directory.file("config.json"), before = testing::read_bytes(path);
    testing::write_bytes(path, changed(before, changes));
    const Strings problems = problems_for(reader);
    testing::write_bytes(path, before);
    return problems;
  }
};

TEST_F(ExportCheck, SeesKeysThatAReaderNeeds) {
  EXPECT_EQ(after(R"({"draft_vocab_size": null})").front(), "config.json: draft_vocab_size is missing");
  EXPECT_EQ(after(R"({"rope_theta": null})").front(), "config.json: rope_theta is missing");
  EXPECT_EQ(after(R"({"rope_parameters": null})").front(), "config.json: rope_parameters is missing");
  EXPECT_EQ(after(R"({"rope_parameters": {"rope_type": "default"}})").front(),
            "config.json: rope_parameters lacks rope_theta or rope_type");
  EXPECT_EQ(after(R"({"norm_before_residual": null})").front(), "config.json: norm_before_residual is missing");
  EXPECT_EQ(after(R"({"architectures": ["LlamaForCausalLM"]})").front(),
            "config.json: architectures does not name LlamaForCausalLMEagle3");
  EXPECT_EQ(after(R"({"num_aux_hidden_states": 3})"), Strings());
  EXPECT_EQ(after(R"({"tie_word_embeddings": true})").front(), "config.json: tie_word_embeddings replaces lm_head");
}

TEST_F(ExportCheck, SeesTapIdsThatAReaderWouldTakeOtherwise) {
  EXPECT_EQ(after(R"({"eagle_config": {}})", "sglang"), Strings{"sglang would tap layers of its default, not 1, 2, 4"});
  EXPECT_EQ(after(R"({"eagle_config": {}})", "vllm"), Strings());
  EXPECT_EQ(after(R"({"eagle_aux_hidden_state_layer_ids": null})", "vllm"),
            Strings{"vllm would tap layers of its default, not 2, 3, 5"});
  EXPECT_EQ(after(R"({"eagle_aux_hidden_state_layer_ids": [1, 3, 5], "eagle_config":
                      {"eagle_aux_hidden_state_layer_ids": [1, 3, 5]}})"),
            Strings{"sglang would tap layers 1, 3, 5, not 0, 2, 4"});
}

TEST_F(ExportCheck, SeesTensors) {
  TensorFile file = draft_file(*source, "ExportCheck");
  file.add("norm.weight", {8}, DType::bf16);
  file.rename("midlayer.hidden_norm.weight", "layers.0.hidden_norm.weight");
  file.remove("t2d");
  file.add("midlayer.self_attn.q_proj.bias", {8});
  file.add("midlayer.mlp.up_proj.weight", {12, 7});
  file.add("embed_tokens.weight", {5, 8});
  file.write(out);
  EXPECT_EQ(problems_for("vllm"),
            (Strings{"model.safetensors: midlayer.hidden_norm.weight is missing",
                     "model.safetensors: midlayer.mlp.up_proj.weight has shape [12, 7], expected [12, 8]",
                     "model.safetensors: norm.weight is bf16, torch_dtype says otherwise",
                     "model.safetensors: embed_tokens.weight has shape [5, 8], expected [11, 8]",
                     "model.safetensors: layers.0.hidden_norm.weight is a tensor that vllm does not know",
                     "model.safetensors: midlayer.self_attn.q_proj.bias is a tensor that vllm does not know",
                     "model.safetensors: t2d is missing"}));
}

TEST(DraftReaders, AreKnownByName) { EXPECT_THROW(find_draft_reader("tensorrt"), Error); }

}  // namespace
}  // namespace eyrie
