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
#include <functional>

#include "io/atomic_dir.h"
#include "io/safetensors.h"
#include "testing/compare.h"
#include "train/checkpoint.h"
#include "train/replay.h"
#include "train/run_fixture.h"
#include "train/run_plan.h"

namespace eyrie {
namespace {

void expect_same_files(const std::string& a, const std::string& b) {
  for (const char* name : {"/model.safetensors", "/optimizer.safetensors", "/config.json", "/trainer.json"})
    EXPECT_TRUE(read_file(a + name) == read_file(b + name)) << name;
}

// The lines of steps and evaluations without their seconds and times, which no two runs share.
std::string metrics_of(const TrainOptions& o) {
  std::ifstream file(o.output + "/metrics.jsonl");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line, "metrics");
    if (json.text("kind") != "begin") text += json.set("seconds", 0).set("work", 0).set("time", 0).dump() + "\n";
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
  double first = 0, last = 0;  // sums over eight steps: two steps see different batches
  run(o, {.progress =
              [&](const TrainProgress& p) {
                if (p.step <= 8) first += p.loss;
                if (p.step > 32) last += p.loss;
              },
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

std::string error_of(const std::function<void()>& call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
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
  const std::string dead = "checkpoint-000002.tmp-eyrie-aBc123", dump = "dump-000007.tmp-eyrie-99xyZ9",
                    file = "best.json.tmp-eyrie-QQQQQQ", mine = "notes.tmp-eyrie-aBc123",
                    backup = "checkpoint-000003.old-2026-11-28";
  for (const std::string& name : {dead, dump, file, mine, backup})
    fs::create_directories(o.output + "/" + name + "/new");
  for (const std::string& name : {dead, dump, file}) testing::write_bytes(o.output + "/" + name + "/.eyrie-writer", "");
  run_until(o, 1);
  for (const std::string& name : {dead, dump, file}) EXPECT_FALSE(fs::exists(o.output + "/" + name)) << name;
  for (const std::string& name : {mine, backup}) EXPECT_TRUE(fs::exists(o.output + "/" + name + "/new")) << name;
  EXPECT_FALSE(fs::exists(o.output + "/checkpoint-000003"));
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

TEST_F(FeatureRun, TrainsAsWithTheTarget) {
  TrainOptions direct = options("direct");
  capture(direct, directory / "features", -1);
  TrainOptions o = with_features("run", directory / "features");
  direct.plan = o.plan = true;
  const auto target_inputs = load_inputs(direct), feature_inputs = load_inputs(o);
  EXPECT_EQ(plan_training(direct, *target_inputs).supervised_share, plan_training(o, *feature_inputs).supervised_share);
  EXPECT_EQ(target_inputs->state.draft.vocabulary.d2t, feature_inputs->state.draft.vocabulary.d2t);
  EXPECT_EQ(target_inputs->state.draft.config.tap_ids, feature_inputs->state.draft.config.tap_ids);
  EXPECT_TRUE(testing::compare_bits("norm", target_inputs->state.weights.tensors.norm,
                                    feature_inputs->state.weights.tensors.norm)
                  .passed());
  o.steps = 40, o.plan = false;
  double first = 0, last = 0;  // sums over eight steps: two steps see different batches
  run(o, {.progress =
              [&](const TrainProgress& p) {
                if (p.step <= 8) first += p.loss;
                if (p.step > 32) last += p.loss;
              },
          .generate = {},
          .stop = nullptr});
  EXPECT_LT(last, 0.9 * first);
}

// Nothing may look like a trained draft: no checkpoint at the end, in between, as the best, nor when it is stopped.
TEST_F(FeatureRun, ARunThatAppliesNoStepFailsAndLeavesNoCheckpoint) {
  TrainOptions direct = options("direct");
  direct.token_budget = 1 << 20;  // one file
  capture(direct, directory / "features", 0);
  TrainOptions o = with_features("run", directory / "features");
  o.steps = 3, o.checkpoint_every = 1, o.evaluate_every = 1, o.held_out = directory / "held-out-features";
  fs::copy(o.features, o.held_out);
  std::string error = error_of([&] { run(o); });
  EXPECT_TRUE(
      error.starts_with(o.output + ": none of the 3 steps was applied, so there is no checkpoint; step 0: loss "))
      << error;
  EXPECT_TRUE(list_checkpoints(o.output).empty());
  EXPECT_FALSE(fs::exists(o.output + "/best.json"));
  // Its dumps are looked at: another run does not replace them, nor what somebody else has for a run.toml.
  EXPECT_EQ(error_of([&] { run(o); }), o.output + ": holds dump-000000, which would be lost: name another output");
  o.output = directory / "mine";
  fs::create_directory(o.output);
  testing::write_bytes(o.output + "/run.toml", "mine = true\n");
  EXPECT_EQ(error_of([&] { run(o); }), o.output + ": holds run.toml, which would be lost: name another output");
  EXPECT_EQ(testing::read_bytes(o.output + "/run.toml"), "mine = true\n");
  o.output = directory / "stopped";
  const std::atomic<bool> stop = true;
  error = error_of([&] { run(o, {.progress = {}, .generate = {}, .stop = &stop}); });
  EXPECT_EQ(error, o.output + ": stopped after step 1 of 3; none was applied yet, so nothing is saved");
  EXPECT_TRUE(list_checkpoints(o.output).empty());
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

}  // namespace
}  // namespace eyrie
