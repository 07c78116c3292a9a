#include "model/describe.h"

#include <gtest/gtest.h>

#include "model/model_files_cases.h"

namespace eyrie {
namespace {

std::string value(const Description& description, const std::string& label) {
  for (const auto& [name, text] : description)
    if (name == label) return text;
  return "(no such line)";
}

TEST(Describe, Target) {
  const ModelDirectory directory(changed(kSmallTarget, R"({"attention_bias": true})"));
  target_file(directory, "Describe").write(directory);
  const Target target = load_target(directory.path());
  const Description lines = describe(target);
  EXPECT_EQ(value(lines, "family"), "llama");
  EXPECT_EQ(value(lines, "heads"), "4 query, 2 key-value, 2 wide");
  EXPECT_EQ(value(lines, "layer"), "biases on q, k, v, o");
  EXPECT_EQ(value(lines, "RoPE"), "default, theta 5000");
  // 2 x 11·8 embeddings and head, 8 norm; a layer: 2·8 norms, q 8·8+8, k and v 4·8+4, o 8·8+8, MLP 3·12·8
  EXPECT_EQ(value(lines, "parameters"), "3824, matrices in f32");
  EXPECT_EQ(value(lines, "default taps"), "1, 2, 3");
  EXPECT_EQ(value(lines, "fingerprint"), target.fingerprint);
}

// What the weights hold beside the model is named: by part, not by tensor.
TEST(Describe, TensorsOfATargetThatNobodyReads) {
  const ModelDirectory directory(kSmallTarget);
  TensorFile file = target_file(directory, "Describe");
  file.add("model.layers.0.self_attn.rotary_emb.inv_freq", {1});  // as good as read
  file.write(directory);
  EXPECT_EQ(value(describe(load_target(directory.path())), "not read"), "(no such line)");
  for (const char* name : {"model.visual.blocks.0.proj.weight", "model.visual.blocks.1.proj.weight", "mtp.fc.weight",
                           "model.layers.0.self_attn.q_norm.weight", "model.layers.6.self_attn.q_norm.weight"})
    file.add(name, {2});
  file.write(directory);
  EXPECT_EQ(value(describe(load_target(directory.path())), "not read"),
            "model.layers.*.self_attn.q_norm.weight (2), model.visual.* (2), mtp.fc.weight");
}

TEST(Describe, DraftWithoutItsTarget) {
  const ModelDirectory directory(changed(kSmallDraft, R"({"norm_output": true})"));
  draft_file(directory, "Describe").write(directory);
  const Description lines = describe(load_draft_alone(directory.path()));
  EXPECT_EQ(value(lines, "taps"), "default");
  EXPECT_EQ(value(lines, "tap rule"), "none named: the default 1, L/2-1, L-4");
  EXPECT_EQ(value(lines, "variants"), "norm_output");
  EXPECT_NE(value(lines, "note").find("SpecForge"), std::string::npos);
  EXPECT_EQ(value(lines, "draft vocabulary"), "5 of the target's 11 tokens");
  EXPECT_EQ(value(lines, "embeddings"), "the target's");
  EXPECT_EQ(value(lines, "layer"), "(no such line)");
}

TEST(Describe, DraftWithNormsOnQAndK) {
  const ModelDirectory directory(changed(kSmallDraft, R"({"model_type": "qwen3", "head_dim": 2})"));
  draft_file(directory, "Describe").write(directory);
  EXPECT_EQ(value(describe(load_draft_alone(directory.path())), "layer"), "norms on q, k");
}

}  // namespace
}  // namespace eyrie
