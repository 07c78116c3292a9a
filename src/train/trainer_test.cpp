// Whole runs on a small random target: resumed bit for bit, refused under other settings, broken steps set aside.
#include "train/trainer.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "data/features.h"
#include "io/atomic_dir.h"
#include "io/safetensors.h"
#include "testing/compare.h"
#include "train/checkpoint.h"
#include "train/replay.h"
#include "train/run_plan.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

const std::string kTarget = std::string(EYRIE_SOURCE_DIR) + "/tests/data/models/llama-3.1";
constexpr int64_t kVocabulary = 131;

// A directory of the test's own, gone with it.
class Directory {
 public:
  Directory()
      : path_(fs::path(::testing::TempDir()) /
              fmt::format("eyrie-train-{}-{}", ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                          ::getpid())) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Directory() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Sequences that count up from a random token, so that there is something to learn; most of each is supervised.
void write_sequences(const std::string& path, int count) {
  RandomStream random(path.substr(path.rfind('/')));
  std::ofstream file(path);
  for (int i = 0; i < count; ++i) {
    std::string ids, mask;
    const uint64_t length = 8 + random.below(30), first = random.below(60);
    for (uint64_t t = 0; t < length; ++t) {
      ids += fmt::format("{}{}", t ? ", " : "", (first + t) % kVocabulary);
      mask += fmt::format("{}{}", t ? ", " : "", t >= 3 && t != 6 ? 1 : 0);
    }
    file << fmt::format("{{\"input_ids\": [{}], \"loss_mask\": [{}]}}\n", ids, mask);
  }
}

struct RunTest : ::testing::Test {
  RunTest() {
    write_sequences(directory / "data.jsonl", 12);
    write_sequences(directory / "held-out.jsonl", 4);
  }

  TrainOptions options(const std::string& output) {
    TrainOptions made;
    made.model = kTarget, made.data = directory / "data.jsonl", made.held_out = directory / "held-out.jsonl";
    made.output = directory / output;
    made.draft_vocabulary = 60, made.token_budget = 80, made.ttt_steps = 3, made.steps = 6, made.seed = 5;
    made.optimizer.learning_rate = 1e-2;
    return made;
  }

  TrainResult run(const TrainOptions& o, TrainHooks hooks = {}) {
    const auto inputs = load_inputs(o);
    Exec exec;
    return train(exec, o, *inputs, hooks);
  }

  // Trains until `step` and is stopped there.
  void run_until(const TrainOptions& o, int64_t step) {
    std::atomic<bool> stop = false;
    const TrainHooks hooks{
        .progress = [&](const TrainProgress& p) { stop = p.step == step; }, .generate = {}, .stop = &stop};
    try {
      run(o, hooks);
      FAIL() << "was not stopped";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
  }

  Directory directory;
};

void expect_same_files(const std::string& a, const std::string& b) {
  for (const char* name : {"/model.safetensors", "/optimizer.safetensors", "/config.json", "/trainer.json"})
    EXPECT_TRUE(read_file(a + name) == read_file(b + name)) << name;
}

// The lines without the seconds, which no two runs share.
std::string metrics_of(const TrainOptions& o) {
  std::ifstream file(o.output + "/metrics.jsonl");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line, "metrics");
    text += json.set("seconds", 0).set("work", 0).dump() + "\n";
  }
  return text;
}

TEST_F(RunTest, ResumesBitForBit) {
  TrainOptions whole = options("whole"), broken = options("broken");
  whole.evaluate_every = broken.evaluate_every = 2;
  const TrainResult expected = run(whole);
  run_until(broken, 3);
  broken.resume = true;
  const TrainResult found = run(broken);
  expect_same_files(expected.checkpoint, found.checkpoint);
  EXPECT_EQ(metrics_of(whole), metrics_of(broken));
  EXPECT_EQ(expected.best_step, found.best_step);
}

// Killed behind a checkpoint: metrics have lines that the checkpoint knows nothing of.
TEST_F(RunTest, ResumesFromTheLastCheckpointAfterAKill) {
  TrainOptions whole = options("whole"), killed = options("killed");
  whole.checkpoint_every = killed.checkpoint_every = 2, whole.keep = killed.keep = 10;
  const TrainResult expected = run(whole);
  run(killed);
  fs::remove_all(checkpoint_path(killed.output, 6));
  std::ofstream(killed.output + "/metrics.jsonl", std::ios::app) << "{\"kind\": \"train\", \"st";
  killed.resume = true;
  const TrainResult found = run(killed);
  expect_same_files(expected.checkpoint, found.checkpoint);
  EXPECT_EQ(metrics_of(whole), metrics_of(killed));
}

TEST_F(RunTest, RefusesToResumeUnderOtherSettings) {
  TrainOptions o = options("run");
  run_until(o, 2);
  EXPECT_THROW(run(o), Error) << "a run stands there and resume was not asked for";
  o.resume = true;
  o.chain = 2;
  EXPECT_THROW(run(o), Error) << "the best so far went by another accept length";
  o.chain = 4;
  o.optimizer.learning_rate = 3e-3;
  try {
    run(o);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("learning-rate = 0.01, this one has 0.003"), std::string::npos)
        << error.what();
  }
}

TEST_F(RunTest, Learns) {
  TrainOptions o = options("run");
  o.steps = 40;
  double first = 0, last = 0;
  run(o, {.progress = [&](const TrainProgress& p) { (p.step == 1 ? first : last) = p.loss; },
          .generate = {},
          .stop = nullptr});
  EXPECT_LT(last, 0.9 * first);
}

TEST_F(RunTest, KeepsTheBestAndTheNewest) {
  TrainOptions o = options("run");
  o.steps = 12, o.evaluate_every = 2, o.checkpoint_every = 1, o.keep = 2;
  const TrainResult result = run(o);
  const std::vector<std::string> found = list_checkpoints(o.output);
  ASSERT_GE(found.size(), 2u);
  EXPECT_LE(found.size(), 3u);
  EXPECT_EQ(found.back(), checkpoint_path(o.output, 12));
  EXPECT_TRUE(fs::exists(checkpoint_path(o.output, result.best_step)));
  const Json best = Json::parse_file(o.output + "/best.json");
  EXPECT_EQ(best.integer("step"), result.best_step);
  EXPECT_EQ(best.number("walked_accept_length"), result.best_accept_length);
}

TEST_F(RunTest, GeneratesAtTheEndAndEveryFewEvaluations) {
  TrainOptions o = options("run");
  o.steps = 8, o.evaluate_every = 1, o.generate_every = 3;
  std::vector<int64_t> asked;
  int64_t step = 0;
  run(o, {.progress = [&](const TrainProgress& p) { step = p.step; },
          .generate =
              [&](const Draft& draft) {
                asked.push_back(step);
                EXPECT_EQ(draft.config.draft_vocabulary, 60);
                return 2.5;
              },
          .stop = nullptr});
  EXPECT_EQ(asked, (std::vector<int64_t>{3, 6, 8}));
}

TEST_F(RunTest, ADumpedStepReplaysAsItWas) {
  TrainOptions o = options("run");
  o.dump_steps = {2};
  run(o);
  Exec exec;
  const std::string dump = o.output + "/dump-000002";
  const Replay again = replay(exec, {.directory = dump, .attention = {"auto", "dense"}});
  const Json seen = Json::parse_file(dump + "/step.json");
  EXPECT_EQ(again.runs[0].loss, seen.number("loss"));
  EXPECT_EQ(again.runs[0].grad_norm, seen.number("grad_norm"));
  EXPECT_EQ(again.ttt_steps, 3);
  EXPECT_FALSE(fs::exists(o.output + "/dump-000001"));
}

// The same tensors without those named; a dump that leans on --model, or counts its own rows.
void rewrite_batch(const std::string& dump, std::initializer_list<const char*> without) {
  const std::string path = dump + "/batch.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::vector<NamedTensor> kept;
  for (const auto& [tensor_name, tensor] : file.tensors())
    if (std::count(without.begin(), without.end(), tensor_name) == 0) kept.push_back({tensor_name, tensor});
  write_safetensors(path + ".new", kept, file.metadata());
  fs::rename(path + ".new", path);
}

TEST_F(RunTest, ADumpMayLeaveHeadsToTheModelAndRowsToTheBatch) {
  TrainOptions o = options("run");
  o.dump_steps = {2};
  run(o);
  Exec exec;
  const std::string dump = o.output + "/dump-000002";
  const Replay whole = replay(exec, {.directory = dump});
  rewrite_batch(dump, {"target.lm_head.weight", "target.embed_tokens.weight", "n_k"});
  EXPECT_THROW(replay(exec, {.directory = dump}), Error);
  const std::string unknown = directory / "unknown";  // weights of a family that we cannot run
  fs::create_directories(unknown);
  fs::create_symlink(kTarget + "/model.safetensors", unknown + "/model.safetensors");
  write_file_atomically(unknown + "/config.json", R"({"model_type": "never heard of"})");
  const Replay leaning = replay(exec, {.directory = dump, .model = unknown});
  EXPECT_EQ(leaning.runs[0].loss, whole.runs[0].loss);
  EXPECT_EQ(leaning.runs[0].grad_norm, whole.runs[0].grad_norm);
}

// With a factor this small the first step that has a usual norm to be judged by is a spike.
TEST_F(RunTest, ASpikeIsDumpedWithTheWeightsBeforeIt) {
  TrainOptions o = options("run");
  o.steps = 25, o.optimizer.spike_factor = 0.001, o.held_out = "";
  run(o);
  std::vector<std::string> dumps;
  for (const auto& entry : fs::directory_iterator(o.output))
    if (entry.path().filename().string().starts_with("dump-")) dumps.push_back(entry.path());
  EXPECT_EQ(dumps.size(), 8u) << "a broken run must not fill the disk";
  Exec exec;
  const std::string first = o.output + "/dump-" + fmt::format("{:06}", NormHistory::kFewest);
  ASSERT_TRUE(fs::exists(first));
  EXPECT_EQ(replay(exec, {.directory = first}).runs[0].loss, Json::parse_file(first + "/step.json").number("loss"));
}

TEST_F(RunTest, AStepAskedForIsDumpedAfterManyOthers) {
  TrainOptions o = options("run");
  o.steps = 25, o.optimizer.spike_factor = 0.001, o.held_out = "", o.dump_steps = {23, 24};
  run(o);
  EXPECT_TRUE(fs::exists(o.output + "/dump-000023"));
  EXPECT_FALSE(fs::exists(o.output + "/dump-000022"));
}

TEST_F(RunTest, AnUpdateThatLeavesNoFiniteWeightsIsNotApplied) {
  TrainOptions o = options("run");
  o.held_out = "", o.steps = 3, o.optimizer.learning_rate = 1e200, o.optimizer.warmup_share = 0;
  const TrainResult result = run(o);
  EXPECT_GE(result.skipped, 1);
  const SafetensorsFile weights = SafetensorsFile::open(result.checkpoint + "/model.safetensors");
  for (const auto& [tensor_name, tensor] : weights.tensors())
    for (const double value : tensor.dtype == DType::f32 ? testing::to_doubles(tensor) : std::vector<double>())
      ASSERT_TRUE(std::isfinite(value)) << tensor_name;
}

TEST_F(RunTest, AnEvaluationThatFailsLosesNothing) {
  TrainOptions o = options("run");
  EXPECT_THROW(run(o, {.progress = {},
                       .generate = [](const Draft&) -> double { throw Error(ErrorKind::input, "generate", "failed"); },
                       .stop = nullptr}),
               Error);
  EXPECT_EQ(list_checkpoints(o.output), std::vector<std::string>{checkpoint_path(o.output, 6)});
}

TEST_F(RunTest, WhatDeadWritersLeftIsSweptAtTheStart) {
  TrainOptions o = options("run");
  const std::string dead = o.output + "/checkpoint-000002.tmp-999999999-0",
                    dump = o.output + "/dump-000007.tmp-999999999-3",
                    mine = o.output + fmt::format("/notes.tmp-{}-0", ::getpid());
  for (const std::string& path : {dead, dump, mine}) fs::create_directories(path);
  run_until(o, 1);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_FALSE(fs::exists(dump));
  EXPECT_TRUE(fs::exists(mine)) << "its writer lives";
}

TEST_F(RunTest, ResumingWhereNothingStandsSaysThatItStartsAfresh) {
  TrainOptions o = options("run");
  o.resume = true, o.steps = 1, o.held_out = "";
  ::testing::internal::CaptureStderr();
  run(o);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("starts afresh"), std::string::npos);
}

// The largest file a process may write, for as long as this lives.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit small = before_;
    small.rlim_cur = bytes;
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST_F(RunTest, AFullDiskLeavesThePreviousCheckpointWhole) {
  TrainOptions whole = options("whole"), full = options("full");
  full.checkpoint_every = 2, full.keep = 1;
  const TrainResult expected = run(whole);
  std::optional<FileLimit> limit;
  try {
    run(full, {.progress =
                   [&](const TrainProgress& p) {
                     if (p.step == 3) limit.emplace(20000);
                   },
               .generate = {},
               .stop = nullptr});
    FAIL() << "the disk was not full";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file) << error.what();
  }
  limit.reset();
  EXPECT_EQ(list_checkpoints(full.output), std::vector<std::string>{checkpoint_path(full.output, 2)});
  full.resume = true;
  expect_same_files(expected.checkpoint, run(full).checkpoint);
}

TEST_F(RunTest, MicroBatchesShareTheStepsRows) {
  TrainOptions o = options("run");
  o.accumulate = 2, o.dump_steps = {0}, o.steps = 1, o.held_out = "";
  run(o);
  Exec exec;
  double loss = 0, rows = 0;
  int64_t n = 0;
  for (const char* part : {"/dump-000000.0", "/dump-000000.1"}) {
    const Replay one = replay(exec, {.directory = o.output + part});
    loss += one.runs[0].loss;
    rows += static_cast<double>(one.runs[0].figures.depths[0].supervised);
    n = SafetensorsFile::open(o.output + part + "/batch.safetensors").at("n_k").as<int64_t>()[0];
  }
  EXPECT_EQ(static_cast<double>(n), rows);
  EXPECT_DOUBLE_EQ(loss, Json::parse_file(o.output + "/dump-000000.0/step.json").number("loss"));
}

// Features as captured give the run that the target gives.
struct FeatureRun : RunTest {
  // One file per batch; in file `poisoned` one tap is not a number.
  void capture(const TrainOptions& from, const std::string& output, int64_t poisoned) {
    const auto inputs = load_inputs(from);
    fs::create_directories(output);
    Exec exec;
    for (int64_t i = 0; i < inputs->train->batches(0); ++i) {
      const PackedBatch tokens = inputs->train->tokens(0, i);
      const Buffer taps(DType::f32, {tokens.tokens(), 96}), last_hidden(DType::f32, {tokens.tokens(), 32});
      inputs->train->read_states(exec, 0, i, tokens, taps, last_hidden);
      if (i == poisoned) taps.tensor().as<float>()[0] = std::nanf("");
      write_features(output + "/" + feature_file_name(i), {tokens, taps, last_hidden}, inputs->info);
    }
  }

  TrainOptions with_features(const std::string& output, const std::string& features) {
    TrainOptions o = options(output);
    o.data = "", o.held_out = "", o.features = features;
    return o;
  }
};

TEST_F(FeatureRun, TrainsAsWithTheTarget) {
  TrainOptions direct = options("direct");
  capture(direct, directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  const auto target_inputs = load_inputs(direct), feature_inputs = load_inputs(o);
  EXPECT_EQ(plan_training(direct, *target_inputs).supervised_share, plan_training(o, *feature_inputs).supervised_share);
  EXPECT_EQ(target_inputs->draft.vocabulary.d2t, feature_inputs->draft.vocabulary.d2t);
  EXPECT_EQ(target_inputs->draft.config.tap_ids, feature_inputs->draft.config.tap_ids);
  EXPECT_TRUE(testing::compare_bits("norm", target_inputs->weights.norm.tensor(), feature_inputs->weights.norm.tensor())
                  .passed());
  o.steps = 40;
  double first = 0, last = 0;
  run(o, {.progress = [&](const TrainProgress& p) { (p.step == 1 ? first : last) = p.loss; },
          .generate = {},
          .stop = nullptr});
  EXPECT_LT(last, 0.9 * first);
}

TEST_F(FeatureRun, AStepThatIsNotFiniteIsSkippedCountedAndDumped) {
  capture(options("direct"), directory / "features", 1);
  TrainOptions o = with_features("run", directory / "features");
  o.steps = load_inputs(o)->train->batches(0), o.keep = 100, o.checkpoint_every = 1;  // every file once
  const TrainResult result = run(o);
  EXPECT_EQ(result.skipped, 1);
  int64_t dumps = 0;
  for (const auto& entry : fs::directory_iterator(o.output))
    dumps += entry.path().filename().string().starts_with("dump-");
  EXPECT_EQ(dumps, 1);
  const SafetensorsFile weights = SafetensorsFile::open(result.checkpoint + "/model.safetensors");
  for (const auto& [tensor_name, tensor] : weights.tensors())
    for (const double value : tensor.dtype == DType::f32 ? testing::to_doubles(tensor) : std::vector<double>())
      ASSERT_TRUE(std::isfinite(value)) << tensor_name;
}

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
  for (const Parameter& one : parameters(inputs->draft.config, inputs->weights)) {
    const auto result = testing::compare_bits(one.name, one.tensor, weights.at(one.name));
    EXPECT_TRUE(result.passed()) << result.text();
  }
  EXPECT_EQ(inputs->draft.config.draft_vocabulary, 60);
}

TEST_F(RunTest, OptionsThatContradictAreRefused) {
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

std::string error_of(const TrainOptions& o) {
  try {
    load_inputs(o);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
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
      {"epsilon: expected a finite number above 0, found 0", [](auto& o) { o.optimizer.epsilon = 0; }},
      {"warmup-share: expected 0 to 1, found 1.5", [](auto& o) { o.optimizer.warmup_share = 1.5; }},
      {"weight-decay: expected a finite number, 0 or more, found inf",
       [](auto& o) { o.optimizer.weight_decay = HUGE_VAL; }},
      {"clip: expected a finite number, 0 or more, found -1", [](auto& o) { o.optimizer.clip = -1; }},
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
  o.steps = 1;
  const auto inputs = load_inputs(o);
  EXPECT_EQ(inputs->cut, 2);
  EXPECT_EQ(inputs->tokens, 256);
  EXPECT_NE(plan_training(o, *inputs).text.find("held out   1 sequences (1 cut), 128 tokens"), std::string::npos);
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

TEST_F(FeatureRun, TapsAreThoseOfTheFeatures) {
  TrainOptions direct = options("direct");
  direct.tap_ids = {0, 2, 5};
  capture(direct, directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  EXPECT_EQ(load_inputs(o)->draft.config.tap_ids, direct.tap_ids);
  o.model = target_like(directory, "few", [](Json& config) { config.set("num_hidden_layers", 6); });
  EXPECT_EQ(load_inputs(o)->draft.config.tap_ids, direct.tap_ids) << "six layers have no default";
  o.tap_ids = {1, 3, 4};
  EXPECT_NE(error_of(o).find("the features were captured with [0, 2, 5]"), std::string::npos) << error_of(o);
}

TEST_F(FeatureRun, WithoutAModelTheDraftComesFromTheWeightsConfig) {
  capture(options("direct"), directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  o.model = "", o.target_weights = kTarget;
  const DraftConfig derived = load_inputs(o)->draft.config;
  EXPECT_EQ(derived.tap_ids, default_tap_ids(8));
  EXPECT_EQ(derived.target_layers, 8) << "so that the default is not written";
  o.target_weights =
      target_like(directory, "unknown", [](Json& config) { config.set("model_type", "never heard of"); });
  EXPECT_NE(error_of(o).find("draft-config: needed: "), std::string::npos) << error_of(o);
  o.draft_config = directory / "config";
  fs::create_directories(o.draft_config);
  write_file_atomically(o.draft_config + "/config.json", write_draft_config(derived, "").dump());
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(load_inputs(o)->draft.config.target_layers, 8);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("last norm"), std::string::npos);
}

TEST_F(FeatureRun, FilesThatDoNotFitAreNamed) {
  capture(options("direct"), directory / "features", -1);
  const TrainOptions o = with_features("run", directory / "features");
  const auto inputs = load_inputs(o);
  const auto error_after = [&](const char* where, const std::function<void(PackedBatch&, FeatureInfo&)>& change) {
    FeatureBatch one = read_features(directory / "features/" + feature_file_name(0));
    change(one.tokens, one.info);
    const int64_t tokens = one.tokens.tokens();
    const Buffer taps(DType::f32, {tokens, 96}), last_hidden(DType::f32, {tokens, 32});
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
