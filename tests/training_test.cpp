// Training through the program: what a run leaves on disk. How it may end: long_runs_test.cpp.
#include "training.h"

#include <gtest/gtest.h>

#include <cstring>

#include "data/features.h"
#include "io/safetensors.h"
#include "testing/compare.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using testing::write_bytes;

bool same_bytes(const ConstTensor& a, const ConstTensor& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

void copy_checkpoint(const std::string& checkpoint, const std::string& run) {
  fs::create_directories(run);
  fs::copy(checkpoint, run + "/" + fs::path(checkpoint).filename().string());
}

TEST_F(Training, ResumesBitForBit) {
  const Arguments run{"--steps", "6", "--accumulate", "2", "--checkpoint-every", "2", "--keep", "9"};
  const Arguments evaluated = run + Arguments{"--held-out", held_out(), "--evaluate-every", "3", "--prompt-count", "2"};
  expect_success(eyrie(train_on_data("whole", evaluated), kTwoThreads));
  ASSERT_EQ(checkpoints_in(path("whole")).size(), 4u);  // steps 2, 4, 6, and 3: the best of the evaluation there
  copy_checkpoint(path("whole/checkpoint-000002"), path("broken"));
  write_bytes(path("broken/metrics.jsonl"), read_bytes(path("whole/metrics.jsonl")));  // had gone on after step 2
  const Outcome resumed = eyrie(train_on_data("broken", evaluated + Arguments{"--resume"}), kTwoThreads);
  expect_success(resumed);
  EXPECT_NE(resumed.error.find("at step 2 of 6"), std::string::npos) << resumed.error;
  expect_same_checkpoint(path("broken/checkpoint-000006"), path("whole/checkpoint-000006"));
  EXPECT_EQ(losses_of(path("broken")), losses_of(path("whole")));
  EXPECT_EQ(Json::parse_file(path("broken/best.json")).number("walked_accept_length"),
            Json::parse_file(path("whole/best.json")).number("walked_accept_length"));

  EXPECT_EQ(unlike_failure(eyrie(train_on_data("broken", evaluated)), 2, path("broken") + ": holds a run already"), "");
  const Outcome other = eyrie(train_on_data("broken", evaluated + Arguments{"--resume", "--loss-decay", "0.7"}));
  EXPECT_EQ(unlike_failure(other, 2, "0.7"), "");
}

TEST_F(Training, AFullDiskLeavesTheLastCheckpointWhole) {
  const Arguments run{"--steps", "4", "--checkpoint-every", "2", "--keep", "9"};
  expect_success(eyrie(train_on_data("whole", run)));
  copy_checkpoint(path("whole/checkpoint-000002"), path("run"));
  const int64_t weights = static_cast<int64_t>(fs::file_size(path("whole/checkpoint-000002/model.safetensors")));
  for (const int64_t limit : {weights / 2, weights + 1000}) {  // the weights do not fit; the moments do not
    const Outcome outcome = eyrie(train_on_data("run", run + Arguments{"--resume"}), {.file_limit_bytes = limit});
    EXPECT_EQ(unlike_failure(outcome, 1, ".safetensors: cannot be written: File too large"), "");
    EXPECT_EQ(names_in(path("run")), (std::vector<std::string>{"checkpoint-000002", "metrics.jsonl", "run.toml"}));
    expect_same_checkpoint(path("run/checkpoint-000002"), path("whole/checkpoint-000002"));
  }
  expect_success(eyrie(train_on_data("run", run + Arguments{"--resume"})));
  expect_same_checkpoint(path("run/checkpoint-000004"), path("whole/checkpoint-000004"));

  fs::create_directory(path("out"));
  const Outcome full = eyrie({"export", "--checkpoint", path("run/checkpoint-000004"), "--output", path("out/draft")},
                             {.file_limit_bytes = weights / 4});
  EXPECT_EQ(unlike_failure(full, 1, "File too large"), "");
  const Outcome capture = eyrie({"capture", "--model", kFledgling, "--input", data(), "--output", path("out/features")},
                                {.file_limit_bytes = 10000});
  EXPECT_EQ(unlike_failure(capture, 1, "File too large"), "");
  EXPECT_TRUE(names_in(path("out")).empty());
}

TEST_F(Training, AConfigFileIsTheFlags) {
  write_bytes(path("run.toml"), "model = \"" + kFledgling + "\"\ndata = \"" + data() + "\"\n" +
                                    "token-budget = 128\nttt-steps = 3\ndraft-vocabulary = 256\n"
                                    "learning-rate = 0.001\nsteps = 2  # few\ntap-ids = [0, 3, 6]\nnormalize = "
                                    "\"micro-batch\"\n");
  const Arguments flags = train_on_data("flags", {"--steps", "2", "--tap-ids", "0,3,6", "--normalize", "micro-batch"});
  const Arguments config{"train", "--config", path("run.toml"), "--output", path("config")};
  const Outcome plan = eyrie(flags + Arguments{"--plan"});
  expect_success(plan);
  EXPECT_NE(plan.out.find("leave layers 0, 3, 6"), std::string::npos) << plan.out;
  EXPECT_EQ(plan.error, "");
  EXPECT_EQ(eyrie(config + Arguments{"--plan"}).out, plan.out);
  EXPECT_NE(eyrie(config + Arguments{"--plan", "--steps", "5"}).out, plan.out) << "a flag goes before the file";
  EXPECT_FALSE(fs::exists(path("flags")) || fs::exists(path("config"))) << "a plan starts nothing";
  expect_success(eyrie(flags));
  expect_success(eyrie(config));
  expect_same_checkpoint(path("config/checkpoint-000002"), path("flags/checkpoint-000002"));
}

TEST_F(Training, ExportsForEachReader) {
  expect_success(eyrie(train_on_data("run", {"--steps", "1", "--tap-ids", "2,4,6"})));
  const std::string checkpoint = path("run/checkpoint-000001");
  for (const std::string reader : {"", "sglang", "vllm"}) {
    Arguments arguments{"export", "--checkpoint", checkpoint, "--output", path("draft" + reader)};
    if (!reader.empty()) arguments = arguments + Arguments{"--for", reader};
    for (int again = 0; again < 2; ++again) expect_success(eyrie(arguments));
    EXPECT_EQ(names_in(path("draft" + reader)), (std::vector<std::string>{"config.json", "model.safetensors"}));
    const auto file = SafetensorsFile::open(path("draft" + reader) + "/model.safetensors");
    EXPECT_EQ(file.at("fc.weight").dtype, DType::bf16);
    EXPECT_EQ(file.at("d2t").dim(0), 256);
    EXPECT_EQ(file.at("t2d").dim(0), 2048);
    const Outcome fit = eyrie({"inspect", path("draft" + reader), "--against", kFledgling});
    EXPECT_NE(fit.out.find("The draft fits the target."), std::string::npos) << reader << fit.out << fit.error;
  }
  expect_success(eyrie(train_on_data("first", {"--steps", "1", "--tap-ids", "0,3,6"})));
  const Outcome refused =
      eyrie({"export", "--checkpoint", path("first/checkpoint-000001"), "--output", path("x"), "--for", "sglang"});
  EXPECT_EQ(unlike_failure(refused, 2, "sglang cannot be told to tap these layers"), "");
  EXPECT_EQ(unlike_failure(eyrie({"export", "--checkpoint", path("run"), "--output", path("x")}), 1, path("run")), "");
  EXPECT_EQ(unlike_failure(eyrie({"export", "--checkpoint", kFledgling, "--output", path("x")}), 1, "a draft has 1"),
            "");
  EXPECT_FALSE(fs::exists(path("x")));
}

TEST_F(Training, FeaturesGiveTheLossesOfTheirConversations) {
  expect_success(eyrie(train_on_data("conversations", {"--epochs", "3"}, "4096")));
  const std::vector<double> expected = losses_of(path("conversations"));
  ASSERT_EQ(expected.size(), 3u);
  for (const std::string dtype : {"f32", "bf16"}) {
    const std::string features = path("features-" + dtype);
    expect_success(eyrie({"capture", "--model", kFledgling, "--input", data(), "--output", features, "--token-budget",
                          "4096", "--dtype", dtype}));
    EXPECT_EQ(names_in(features), std::vector<std::string>{"features-00000.safetensors"});
    expect_success(eyrie(train("from-" + dtype, {"--features", features, "--epochs", "3"}, nullptr)));
    const std::vector<double> found = losses_of(path("from-" + dtype));
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], (dtype == "f32" ? 1e-5 : 1e-2) * expected[i]) << dtype << " step " << i;
  }
}

TEST_F(Training, ReadsAndWritesTheFeaturesOfOthers) {
  const std::string features = vector_file("features/llama-3.1"), model = vector_file("models/llama-3.1");
  expect_success(eyrie({"train", "--model", model, "--features", features, "--target-weights", model, "--output",
                        path("run"), "--steps", "2", "--ttt-steps", "2"}));
  EXPECT_EQ(losses_of(path("run")).size(), 2u);

  expect_success(eyrie({"capture", "--model", model, "--input", features + "/input.jsonl", "--output", path("ours"),
                        "--tap-ids", "1,3,4", "--token-budget", "10", "--dtype", "f32"}));
  ASSERT_EQ(names_in(path("ours")).size(), 2u);
  for (const std::string& name : names_in(path("ours"))) {
    const auto found = SafetensorsFile::open(path("ours/" + name)),
               expected = SafetensorsFile::open(features + "/" + name);
    for (const char* tensor : {"input_ids", "cu_seqlens", "loss_mask"})
      EXPECT_TRUE(same_bytes(found.at(tensor), expected.at(tensor))) << name << " " << tensor;
    for (const char* tensor : {"aux_hidden_states", "last_hidden_states"}) {
      const auto compared = testing::compare(tensor, found.at(tensor), expected.at(tensor), {1e-4, 1e-3});
      EXPECT_TRUE(compared.passed()) << compared.text();
    }
  }
  const Outcome other = eyrie({"train", "--model", kFledgling, "--features", features, "--output", path("x")});
  EXPECT_EQ(unlike_failure(other, 1, "last_hidden_states: expected width 256 as the target's, found 32"), "");
  const Arguments refused{"train", "--model", model, "--output", path("x"), "--features"};
  EXPECT_EQ(unlike_failure(eyrie(refused + Arguments{features, "--tap-ids", "0,1"}), 2,
                           "train: --tap-ids: the features were captured with [1, 3, 4], the draft is to read [0, 1]"),
            "");
  FeatureBatch batch = read_features(features + "/features-00000.safetensors");
  batch.tokens.input_ids[2] = 131;
  fs::create_directory(path("wild"));
  write_features(path("wild/features-00000.safetensors"), {batch.tokens, batch.taps, batch.last_hidden}, batch.info);
  EXPECT_EQ(unlike_failure(eyrie(refused + Arguments{path("wild")}), 1, ": expected an id below 131, found 131"), "");
  EXPECT_FALSE(fs::exists(path("x")));
}

TEST_F(Training, ReplaysTheVectors) {
  for (const std::string& name : names_in(vector_file("ttt"))) {
    for (const std::string normalize : {"step", "micro-batch"}) {
      const std::string dump = vector_file("ttt/" + name), out = path("replay.safetensors");
      const Outcome outcome =
          eyrie({"replay", "--attention", "dense,auto", dump, "--normalize", normalize, "--out", out});
      ASSERT_EQ(outcome.status, 0) << name << outcome.error;
      EXPECT_NE(outcome.out.find(" against dense"), std::string::npos) << outcome.out;
      const auto found = SafetensorsFile::open(out);
      const auto expected = SafetensorsFile::open(dump + "/expected." + normalize + ".safetensors");
      size_t gradients = 0;
      for (const auto& [tensor, value] : expected.tensors()) {
        const bool gradient = tensor.starts_with("grad.");
        gradients += gradient;
        if (!gradient && tensor != "loss" && tensor != "step_loss" && tensor != "step_accuracy" &&
            tensor != "grad_norm")
          continue;
        const auto compared = testing::compare(tensor, found.at(tensor), value, {1e-4, 1e-3});
        EXPECT_TRUE(compared.passed()) << name << " " << normalize << " " << compared.text();
      }
      EXPECT_EQ(found.tensors().size(), gradients + 4);
    }
  }
}

TEST_F(Training, ReplaysItsOwnDump) {
  expect_success(eyrie(train_on_data("run", {"--steps", "2", "--dump-steps", "1", "--attention", "fused"})));
  const std::string dump = path("run/dump-000001"), out = path("out.safetensors");
  const Outcome outcome = eyrie({"replay", dump, "--attention", "fused,dense", "--out", out});
  expect_success(outcome);
  EXPECT_NE(outcome.out.find("dense against fused"), std::string::npos) << outcome.out;
  const Json step = Json::parse_file(dump + "/step.json");
  const double loss = testing::to_doubles(SafetensorsFile::open(out).at("loss"))[0];
  EXPECT_NEAR(loss, losses_of(path("run"))[1], 1e-6 * loss);
  EXPECT_NEAR(loss, step.number("loss"), 1e-6 * loss);
  fs::remove(out);
  EXPECT_EQ(unlike_failure(eyrie({"replay", dump, "--attention", "flash", "--out", out}), 2, "no backend \"flash\""),
            "");
  EXPECT_EQ(unlike_failure(eyrie({"replay", path("run"), "--out", out}), 1, "run/batch.safetensors: cannot be opened"),
            "");
  const std::string batch = read_bytes(dump + "/batch.safetensors");
  write_bytes(dump + "/batch.safetensors", batch.substr(0, batch.size() - 1000));
  EXPECT_EQ(unlike_failure(eyrie({"replay", dump, "--out", out}), 1, dump + "/batch.safetensors: "), "");
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace eyrie::e2e
