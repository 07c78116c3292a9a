// Runs that go on: from whichever checkpoint can be read, with the evaluation that was missed, beyond their end.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "io/atomic_dir.h"
#include "io/json.h"
#include "train/checkpoint.h"
#include "train/run_fixture.h"

namespace eyrie {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

struct ResumeTest : RunTest {
  // A run of that name in the place of another's copy.
  TrainOptions copy_of(const TrainOptions& run_options, const std::string& name) {
    TrainOptions copy = run_options;
    copy.output = directory / name;
    fs::copy(run_options.output, copy.output, fs::copy_options::recursive);
    copy.resume = true;
    return copy;
  }

  std::string error_of_run(const TrainOptions& o) {
    try {
      run(o);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
};

void expect_same_checkpoint(const std::string& a, const std::string& b) {
  for (const char* name : {"/model.safetensors", "/optimizer.safetensors", "/config.json", "/trainer.json"})
    EXPECT_TRUE(read_file(a + name) == read_file(b + name)) << a << name;
}

std::vector<Json> metrics_of(const TrainOptions& o) {
  std::vector<Json> lines;
  for_each_json_line(o.output + "/metrics.jsonl", [&](const Json& line) { lines.push_back(line); });
  return lines;
}

// What the lines say of steps and evaluations, but for their seconds and times, which no two runs share.
std::string without_seconds(std::vector<Json> lines) {
  std::string text;
  for (Json& line : lines)
    if (line.text("kind") != "begin") text += line.set("seconds", 0).set("work", 0).set("time", 0).dump() + "\n";
  return text;
}

TEST_F(ResumeTest, AnEvaluationThatFailedLosesNothingAndIsMadeFirst) {
  const TrainHooks hooks{.progress = {}, .generate = [](const Draft&) { return 2.5; }, .stop = nullptr};
  for (const int64_t failing : {2, 3}) {  // of the evaluations after steps 2, 4 and 6
    TrainOptions whole = options(fmt::format("whole{}", failing)), broken = options(fmt::format("broken{}", failing));
    for (TrainOptions* o : {&whole, &broken}) o->checkpoint_every = o->evaluate_every = 2, o->generate_every = 1;
    const TrainResult expected = run(whole, hooks);
    int64_t calls = 0;
    const TrainHooks fails{.progress = {},
                           .generate = [&](const Draft&) -> double {
                             if (++calls == failing) throw Error(ErrorKind::input, "generate", "failed");
                             return 2.5;
                           },
                           .stop = nullptr};
    EXPECT_THROW(run(broken, fails), Error);
    EXPECT_EQ(list_checkpoints(broken.output).back(), checkpoint_path(broken.output, 2 * failing));
    broken.resume = true;
    const TrainResult found = run(broken, hooks);
    expect_same_checkpoint(found.checkpoint, expected.checkpoint);
    EXPECT_EQ(without_seconds(metrics_of(broken)), without_seconds(metrics_of(whole)));
    EXPECT_EQ(found.best_step, expected.best_step);
    EXPECT_EQ(Json::parse_file(broken.output + "/best.json").integer("step"), expected.best_step);
  }
}

// Weights and moments are gigabytes: the evaluation that finds the best adds its figure to what stands there.
TEST_F(ResumeTest, ACheckpointIsWrittenOnce) {
  TrainOptions o = options("run");
  struct stat before = {}, after = {};
  const std::string weights = checkpoint_path(o.output, 6) + "/model.safetensors";
  const TrainResult result = run(o, {.progress = {},
                                     .generate =
                                         [&](const Draft&) {
                                           EXPECT_EQ(stat(weights.c_str(), &before), 0);
                                           return 2.5;
                                         },
                                     .stop = nullptr});
  ASSERT_EQ(stat(weights.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  const Json saved = Json::parse_file(result.checkpoint + "/trainer.json");
  EXPECT_EQ(saved.integer("best_step"), 6);
  EXPECT_EQ(saved.number("best_accept_length"), result.best_accept_length);
}

TEST_F(ResumeTest, WhoStopsARunDoesNotWaitForAnEvaluation) {
  TrainOptions whole = options("whole"), stopped = options("stopped");
  whole.evaluate_every = stopped.evaluate_every = 2;
  run(whole);
  run_until(stopped, 4);
  EXPECT_EQ(metrics_of(stopped).back().text("kind"), "train");
  stopped.resume = true;
  run(stopped);
  EXPECT_EQ(without_seconds(metrics_of(stopped)), without_seconds(metrics_of(whole)));
}

void truncate(const std::string& path) { fs::resize_file(path, fs::file_size(path) - 100); }

// The last f32 before the final `behind` bytes becomes NaN.
void spoil(const std::string& path, int behind) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4 - behind, std::ios::end);
  const float nan = std::nanf("");
  file.write(reinterpret_cast<const char*>(&nan), sizeof nan);
}

TEST_F(ResumeTest, ABrokenCheckpointFallsBackToTheOneBefore) {
  TrainOptions whole = options("whole");
  whole.checkpoint_every = whole.evaluate_every = 2, whole.keep = 10;
  const TrainResult expected = run(whole);
  const std::pair<std::string, std::function<void(const std::string&)>> damages[] = {
      {"/model.safetensors: tensor ", [](const std::string& path) { truncate(path + "/model.safetensors"); }},
      {"/model.safetensors: cannot be opened",
       [](const std::string& path) { fs::remove(path + "/model.safetensors"); }},
      {"/optimizer.safetensors: ", [](const std::string& path) { truncate(path + "/optimizer.safetensors"); }},
      {"/optimizer.safetensors: cannot be opened",
       [](const std::string& path) { fs::remove(path + "/optimizer.safetensors"); }},
      {"expected finite values, found nan", [](const std::string& path) { spoil(path + "/optimizer.safetensors", 0); }},
      {"expected finite values, found nan",
       [](const std::string& path) { spoil(path + "/model.safetensors", kVocabulary); }},
      {"/config.json:1: ", [](const std::string& path) { write_file_atomically(path + "/config.json", ""); }},
      {"/trainer.json:", [](const std::string& path) { truncate(path + "/trainer.json"); }},
      {"trainer.json: cannot be opened", [](const std::string& path) {
         fs::remove_all(path);
         fs::create_directory(path);
       }}};
  int number = 0;
  for (const auto& [why, damage] : damages) {
    TrainOptions o = copy_of(whole, fmt::format("run{}", number++));
    const std::string newest = checkpoint_path(o.output, 6), before = checkpoint_path(o.output, 4);
    damage(newest);
    CaptureStderr();
    const TrainResult found = run(o);
    const std::string said = GetCapturedStderr();
    const size_t at = said.find(newest + " cannot be read (");
    ASSERT_NE(at, std::string::npos) << said;
    const std::string line = said.substr(at, said.find('\n', at) - at);
    EXPECT_NE(line.find(why), std::string::npos) << why << " in " << line;
    EXPECT_TRUE(line.ends_with("; the run goes on from " + before)) << line;
    expect_same_checkpoint(found.checkpoint, expected.checkpoint);
    EXPECT_EQ(without_seconds(metrics_of(o)), without_seconds(metrics_of(whole)));
    EXPECT_EQ(Json::parse_file(o.output + "/best.json").integer("step"), expected.best_step);
  }
}

TEST_F(ResumeTest, ABrokenCheckpointIsNoneOfThoseThatAreKept) {
  TrainOptions o = options("run");
  o.checkpoint_every = 2, o.keep = 10, o.held_out = "";
  run(o);
  truncate(checkpoint_path(o.output, 6) + "/model.safetensors");
  o.resume = true, o.checkpoint_every = 1, o.keep = 1;
  run_until(o, 5);
  EXPECT_EQ(list_checkpoints(o.output),
            (std::vector<std::string>{checkpoint_path(o.output, 5), checkpoint_path(o.output, 6)}));
  run(o);
  EXPECT_EQ(list_checkpoints(o.output), std::vector<std::string>{checkpoint_path(o.output, 6)});
}

// The best one was the broken one: until it is found again, best.json names the best of what is left.
TEST_F(ResumeTest, TheBestIsOneThatTheRunStillHas) {
  TrainOptions o = options("run");
  o.checkpoint_every = o.evaluate_every = 2, o.keep = 10;
  run(o);
  fs::resize_file(checkpoint_path(o.output, 6) + "/trainer.json", 0);
  write_file_atomically(o.output + "/best.json", R"({"step": 6})");
  o.resume = true;
  run_until(o, 5);
  const int64_t best = Json::parse_file(checkpoint_path(o.output, 5) + "/trainer.json").integer("best_step");
  EXPECT_LE(best, 4);
  EXPECT_EQ(Json::parse_file(o.output + "/best.json").integer("step"), best);
}

TEST_F(ResumeTest, WhereNoCheckpointCanBeReadTheRunDoesNotStartAfresh) {
  TrainOptions o = options("run");
  o.checkpoint_every = 3, o.keep = 10;
  run(o);
  for (const int64_t step : {3, 6}) fs::remove(checkpoint_path(o.output, step) + "/trainer.json");
  o.resume = true;
  const std::string error = error_of_run(o);
  EXPECT_TRUE(error.starts_with(o.output + ": " + checkpoint_path(o.output, 6) + " cannot be read (")) << error;
  EXPECT_NE(error.find(checkpoint_path(o.output, 3) + " cannot be read ("), std::string::npos) << error;
  EXPECT_TRUE(error.ends_with("; there is none before")) << error;
}

TEST_F(ResumeTest, AFinishedRunGoesOnWithMoreSteps) {
  TrainOptions first = options("run");
  first.steps = 4;
  run(first);
  TrainOptions more = copy_of(first, "more"), broken = copy_of(first, "broken");
  more.steps = broken.steps = 9;
  CaptureStderr();
  const TrainResult expected = run(more);
  const std::string said = GetCapturedStderr();
  EXPECT_NE(said.find("was finished: from here on it has the learning rates of a run of 9 steps, its first 4 steps had "
                      "those of a run of 4"),
            std::string::npos)
      << said;
  EXPECT_EQ(expected.steps, 9);
  int64_t step = 0;
  for (const Json& line : metrics_of(more)) {
    if (line.text("kind") != "train") continue;
    const int64_t total = step < 4 ? 4 : 9;
    EXPECT_EQ(line.number("learning_rate"), learning_rate_at(more.optimizer, step, total)) << step;
    EXPECT_EQ(line.integer("step"), ++step);
  }
  EXPECT_EQ(step, 9);

  run_until(broken, 6);
  CaptureStderr();
  expect_same_checkpoint(run(broken).checkpoint, expected.checkpoint);
  EXPECT_EQ(GetCapturedStderr().find("was finished"), std::string::npos) << "said once";
}

TEST_F(ResumeTest, OnlyAFinishedRunGetsMoreSteps) {
  TrainOptions o = options("run");
  run_until(o, 3);
  o.resume = true, o.steps = 8;
  const std::string other =
      ": 3 of the run's 6 steps are done: expected as many to go on, or more once it is finished, found 8";
  EXPECT_EQ(error_of_run(o), checkpoint_path(o.output, 3) + other);
  o.steps = 6;
  run(o);
  const std::string before = read_file(o.output + "/metrics.jsonl");
  CaptureStderr();
  EXPECT_EQ(run(o).steps, 6);
  EXPECT_NE(GetCapturedStderr().find("the run is finished; with more steps it would go on"), std::string::npos);
  EXPECT_EQ(read_file(o.output + "/metrics.jsonl"), before);
  o.steps = 5;
  EXPECT_EQ(error_of_run(o),
            checkpoint_path(o.output, 6) + ": the run has done its 6 steps; expected more to go on, found 5");
  o.steps = 7, o.loss_decay = 0.5;
  EXPECT_NE(error_of_run(o).find("loss-decay"), std::string::npos);
}

TEST_F(ResumeTest, TheFirstDraftIsNotOpenedAgain) {
  TrainOptions source = options("source");
  source.steps = 1;
  const std::string draft = directory / "draft";
  fs::copy(run(source).checkpoint, draft);
  TrainOptions warm = options("warm"), configured = options("configured");
  warm.init_draft = configured.draft_config = draft;
  warm.draft_vocabulary = 0;
  std::string expected[2];
  for (int i = 0; i < 2; ++i) {
    TrainOptions whole = i ? configured : warm;
    whole.output += "-whole";
    expected[i] = run(whole).checkpoint;
  }
  run_until(warm, 2), run_until(configured, 2);
  fs::remove_all(draft);
  warm.resume = configured.resume = true;
  expect_same_checkpoint(run(warm).checkpoint, expected[0]);
  expect_same_checkpoint(run(configured).checkpoint, expected[1]);
  configured.draft_vocabulary = 61;
  EXPECT_EQ(error_of_run(configured), "draft-vocabulary: the draft to go on from has 60, found 61");
}

// Sequences are cut at the draft's positions, which a resumed run has from its checkpoint.
TEST_F(ResumeTest, TheDraftsPositionsAreStillTheLimit) {
  TrainOptions o = options("run");
  Json config = write_draft_config(load_inputs(o)->state.draft.config, "");
  fs::remove_all(o.output);
  o.draft_config = directory / "config";
  fs::create_directory(o.draft_config);
  write_file_atomically(o.draft_config + "/config.json", config.set("max_position_embeddings", 20).dump());
  run_until(o, 2);
  fs::remove_all(o.draft_config);
  o.resume = true;
  EXPECT_EQ(run(o).steps, 6);
}

TEST_F(ResumeTest, TwoTrainingsOfOneDirectoryAreRefused) {
  TrainOptions o = options("run");
  const auto first = load_inputs(o);
  EXPECT_NE(error_of_run(o).find(o.output + ": another training (process "), std::string::npos);
  o.resume = true;
  EXPECT_NE(error_of_run(o).find(o.output + ": another training (process "), std::string::npos);
}

}  // namespace
}  // namespace eyrie
