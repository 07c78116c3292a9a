// What a run reads before it starts, and what it refuses there.
#include "train/inputs.h"

#include <cmath>
#include <functional>

#include "io/atomic_dir.h"
#include "io/safetensors.h"
#include "testing/compare.h"
#include "train/run_fixture.h"
#include "train/run_plan.h"

namespace eyrie {
namespace {

TEST_F(FeatureRun, FilesOfTwoTargetsAreRefused) {
  capture(options("direct"), directory / "features", -1);
  const FeatureBatch first = read_features(directory / "features/" + feature_file_name(0));
  FeatureInfo other = first.info;
  other.target_fingerprint = "another";
  write_features(directory / "features/" + feature_file_name(77), {first.tokens, first.taps, first.last_hidden}, other);
  EXPECT_THROW(run(with_features("run", directory / "features")), Error);
}

TEST_F(RunTest, WarmStartBeginsWithTheDraftGiven) {
  TrainOptions o = options("first");
  const TrainResult first = run(o);
  TrainOptions again = options("second");
  again.init_draft = first.checkpoint, again.draft_vocabulary = 0;
  const auto inputs = load_inputs(again);
  const SafetensorsFile weights = SafetensorsFile::open(first.checkpoint + "/model.safetensors");
  for (const NamedTensor& one : named_tensors(inputs->state.draft.config, inputs->state.weights)) {
    const auto result = testing::compare_bits(one.name, one.tensor, weights.at(one.name));
    EXPECT_TRUE(result.passed()) << result.text();
  }
  EXPECT_EQ(inputs->state.draft.config.draft_vocabulary, 60);
}

std::string error_of(const TrainOptions& o) {
  try {
    load_inputs(o);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST_F(RunTest, OptionsThatContradictAreRefused) {
  TrainOptions vocabulary = options("run");
  vocabulary.init_draft = "a draft";
  EXPECT_EQ(error_of(vocabulary), "draft-vocabulary: a draft to begin with brings its own vocabulary");
  TrainOptions both = options("run");
  both.features = directory / "features";
  EXPECT_THROW(load_inputs(both), Error);
  TrainOptions none = options("run");
  none.data = "";
  EXPECT_THROW(load_inputs(none), Error);
  TrainOptions deep = options("run");
  deep.ttt_steps = 18;
  EXPECT_THROW(run(deep), Error);
  TrainOptions chain = options("run");
  chain.chain = 16;
  EXPECT_THROW(run(chain), Error) << "a verify of 17 rows";
  TrainOptions init = options("run");
  init.init = "zeros";
  EXPECT_THROW(load_inputs(init), Error);
}

TEST_F(RunTest, NumbersOutOfRangeAreRefusedByName) {
  const struct {
    const char* message;
    std::function<void(TrainOptions&)> change;
  } cases[] = {
      {"learning-rate: expected a finite number above 0, found 0", [](auto& o) { o.optimizer.learning_rate = 0; }},
      {"learning-rate: expected a finite number above 0, found nan",
       [](auto& o) { o.optimizer.learning_rate = std::nan(""); }},
      {"beta1: expected 0 or more, below 1, found 1", [](auto& o) { o.optimizer.beta1 = 1; }},
      {"beta2: expected 0 or more, below 1, found -0.1", [](auto& o) { o.optimizer.beta2 = -0.1; }},
      {"epsilon: expected 1e-37 or more, as f32 holds no less, found 0", [](auto& o) { o.optimizer.epsilon = 0; }},
      {"warmup-share: expected 0 to 1, found 1.5", [](auto& o) { o.optimizer.warmup_share = 1.5; }},
      {"weight-decay: expected a finite number, 0 or more, found inf",
       [](auto& o) { o.optimizer.weight_decay = HUGE_VAL; }},
      {"clip: expected 0 to 1e15, found -1", [](auto& o) { o.optimizer.clip = -1; }},
      {"learning-rate: expected steps that leave finite weights (learning rate x clip / epsilon of 1e30 at most), "
       "found 5e+37",
       [](auto& o) { o.optimizer.learning_rate = 1e30; }},
      {"learning-rate: expected steps that leave finite weights (learning rate x clip / epsilon of 1e30 at most), "
       "found 1e+31",
       [](auto& o) { o.optimizer.learning_rate = 1e8, o.optimizer.clip = 0; }},
      {"weight-decay: expected at most 1 / learning rate = 100, found 101",
       [](auto& o) { o.optimizer.learning_rate = 0.01, o.optimizer.weight_decay = 101; }},
      {"loss-decay: expected a finite number above 0, found 0", [](auto& o) { o.loss_decay = 0; }},
      {"steps: expected 0 or more, found -1", [](auto& o) { o.steps = -1; }},
      {"evaluate-every: expected 0 to 2147483647, found -2", [](auto& o) { o.evaluate_every = -2; }},
      {"keep: expected 1 to 2147483647, found 0", [](auto& o) { o.keep = 0; }},
      {"chain: expected 1 to 15, found 16", [](auto& o) { o.chain = 16; }},
  };
  for (const auto& [message, change] : cases) {
    TrainOptions o = options("run");
    change(o);
    EXPECT_EQ(error_of(o), message);
  }
}

TEST_F(RunTest, NothingSupervisedIsRefused) {
  TrainOptions o = options("run");
  write_file_atomically(o.data, R"({"input_ids": [1, 2, 3, 4], "loss_mask": [0, 1, 0, 1]})");
  EXPECT_NE(error_of(o).find("nothing is supervised"), std::string::npos) << error_of(o);
}

// The target has 128 positions, fewer than max_tokens.
TEST_F(RunTest, SequencesAreCutAtTheTargetsPositions) {
  TrainOptions o = options("run");
  std::string ids = "5", mask = "0";
  for (int t = 1; t < 150; ++t) ids += ", 6", mask += ", 1";
  const std::string line = fmt::format("{{\"input_ids\": [{}], \"loss_mask\": [{}]}}\n", ids, mask);
  write_file_atomically(o.data, line + line);
  write_file_atomically(o.held_out, line);
  o.steps = 1, o.plan = true;
  const auto inputs = load_inputs(o);
  EXPECT_EQ(inputs->data.cut, 2);
  EXPECT_EQ(inputs->survey.tokens, 256);
  EXPECT_FALSE(fs::exists(o.output)) << "a plan writes nothing";
  o.plan = false;
  EXPECT_NE(plan_training(o, *inputs).text.find("held out   1 sequence (1 cut), 128 tokens"), std::string::npos);
  EXPECT_EQ(run(o).steps, 1);
}

// A copy of the small target under another config.
std::string target_like(const Directory& directory, const char* name, const std::function<void(Json&)>& change) {
  const std::string path = directory / name;
  fs::create_directories(path);
  fs::create_symlink(kTarget + "/model.safetensors", path + "/model.safetensors");
  Json config = Json::parse_file(kTarget + "/config.json");
  change(config);
  write_file_atomically(path + "/config.json", config.dump());
  return path;
}

TEST_F(RunTest, TapsThatDoNotServeAreNamedByWhoGaveThem) {
  TrainOptions o = options("first");
  o.tap_ids = {0, 2, 8};
  EXPECT_EQ(error_of(o), "tap-ids: expected ids of the target's layers, 0 to 7, found 8");
  o.tap_ids = {0, 2, 7}, o.steps = 1;
  TrainOptions again = options("second");
  again.init_draft = run(o).checkpoint, again.draft_vocabulary = 0;
  again.tap_ids = {1, 3};
  EXPECT_EQ(error_of(again), "tap-ids: the draft reads 3 taps, found 2 ids");
  again.tap_ids = {1, 3, 4};
  EXPECT_EQ(load_inputs(again)->state.draft.config.tap_ids, again.tap_ids);
  again.tap_ids = {};
  again.model = target_like(directory, "few", [](Json& config) { config.set("num_hidden_layers", 6); });
  EXPECT_EQ(error_of(again), again.init_draft + ": tap-ids: expected ids of the target's layers, 0 to 5, found 7");
}

TEST_F(FeatureRun, TapsAreThoseOfTheFeatures) {
  TrainOptions direct = options("direct");
  direct.tap_ids = {0, 2, 5};
  capture(direct, directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  EXPECT_EQ(load_inputs(o)->state.draft.config.tap_ids, direct.tap_ids);
  o.model = target_like(directory, "few", [](Json& config) { config.set("num_hidden_layers", 6); });
  EXPECT_EQ(load_inputs(o)->state.draft.config.tap_ids, direct.tap_ids) << "six layers have no default";
  o.tap_ids = {1, 3, 4};
  EXPECT_NE(error_of(o).find("the features were captured with [0, 2, 5]"), std::string::npos) << error_of(o);
}

TEST_F(FeatureRun, WithoutAModelTheDraftComesFromTheWeightsConfig) {
  capture(options("direct"), directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  o.model = "", o.target_weights = kTarget;
  const DraftConfig derived = load_inputs(o)->state.draft.config;
  EXPECT_EQ(derived.tap_ids, default_tap_ids(8));
  EXPECT_EQ(derived.target_layers, 8) << "so that the default is not written";
  o.target_weights =
      target_like(directory, "unknown", [](Json& config) { config.set("model_type", "never heard of"); });
  EXPECT_NE(error_of(o).find("draft-config: needed: "), std::string::npos) << error_of(o);
  o.draft_config = directory / "config";
  fs::create_directories(o.draft_config);
  write_file_atomically(o.draft_config + "/config.json", write_draft_config(derived, "").dump());
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(load_inputs(o)->state.draft.config.target_layers, 8);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("last norm"), std::string::npos);
}

TEST_F(FeatureRun, FilesThatDoNotFitAreNamed) {
  capture(options("direct"), directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  o.plan = true;
  const auto inputs = load_inputs(o);
  const auto error_after = [&](const char* where, const std::function<void(PackedBatch&, FeatureInfo&)>& change) {
    FeatureBatch one = read_features(directory / "features/" + feature_file_name(0));
    change(one.tokens, one.info);
    const int64_t tokens = one.tokens.tokens();
    const Buffer taps = Buffer::zeros(DType::f32, {tokens, 96}), last_hidden = Buffer::zeros(DType::f32, {tokens, 32});
    fs::create_directories(directory / where);
    write_features(directory / where + "/" + feature_file_name(99), {one.tokens, taps, last_hidden}, one.info);
    TrainOptions with = o;
    (std::string(where) == "features" ? with.features : with.held_out) = directory / where;
    const std::string error = error_of(with);
    fs::remove(directory / where + "/" + feature_file_name(99));
    return error;
  };
  const auto large = [](PackedBatch& tokens, FeatureInfo&) { tokens.input_ids[3] = kVocabulary; };
  const auto longer = [](PackedBatch& tokens, FeatureInfo&) {
    tokens = {std::vector<int32_t>(129, 1), std::vector<uint8_t>(129, 1), {0, 129}};
  };
  for (const char* where : {"features", "held"}) {
    const std::string path = directory / where + "/" + feature_file_name(99);
    EXPECT_EQ(error_after(where, large), path + ": input_ids[3]: expected an id below 131, found 131");
    EXPECT_EQ(error_after(where, longer),
              path + ": sequence 0: expected at most 128 tokens, the draft's positions, found 129");
  }
  EXPECT_NE(error_after("held",
                        [](PackedBatch&, FeatureInfo& info) {
                          info.tap_ids = {0, 1, 2};
                        })
                .find("tap ids: "),
            std::string::npos);
  EXPECT_NE(error_after("held", [](PackedBatch&, FeatureInfo& info) { info.target_fingerprint = "x"; })
                .find("target fingerprint: "),
            std::string::npos);
  for (const char* where : {"features", "held"})
    EXPECT_NE(error_after(where, [](PackedBatch&, FeatureInfo& info) { info.template_hash = "x"; })
                  .find("chat template: expected "),
              std::string::npos);
}

TEST_F(FeatureRun, FeaturesOfAnotherTargetGiveOneWarning) {
  capture(options("direct"), directory / "features", -1);
  const FeatureBatch first = read_features(directory / "features/" + feature_file_name(0));
  FeatureInfo other = first.info;
  other.target_fingerprint = "another";
  fs::create_directories(directory / "other");
  write_features(directory / "other/" + feature_file_name(0), {first.tokens, first.taps, first.last_hidden}, other);
  ::testing::internal::CaptureStderr();
  load_inputs(with_features("run", directory / "other"));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("was captured from target another"), std::string::npos);
}

}  // namespace
}  // namespace eyrie
