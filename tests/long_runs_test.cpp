// Long runs through the program: however they end, whatever they meet on the way, nothing is lost and nothing is
// silent.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <random>
#include <thread>

#include "data/features.h"
#include "io/safetensors.h"
#include "tensor/buffer.h"
#include "training.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using testing::write_bytes;

TEST_F(Training, SurvivesKillsAtAnyMoment) {
  const Arguments run{"--steps", "30", "--checkpoint-every", "1", "--keep", "1"};
  expect_success(eyrie(train_on_data("whole", {"--steps", "30"}), kTwoThreads));
  std::minstd_rand random(20);
  int kills = 0;
  for (bool done = false; !done;) {
    const std::vector<std::string> before = checkpoints_in(path("run"));
    Running running(train_on_data("run", run + Arguments{"--resume"}), kTwoThreads);
    const bool moved = running.wait_until([&] { return checkpoints_in(path("run")) != before; });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    if (moved && kills < 10) running.signal(SIGKILL);
    const Outcome outcome = running.wait();
    done = outcome.status == 0;
    kills += !done;
    ASSERT_TRUE(done || outcome.status == 128 + SIGKILL) << outcome.error;
  }
  EXPECT_GE(kills, 3);
  expect_same_checkpoint(path("run/checkpoint-000030"), path("whole/checkpoint-000030"));
  EXPECT_EQ(losses_of(path("run")), losses_of(path("whole")));
  EXPECT_EQ(names_in(path("run")),
            (std::vector<std::string>{"checkpoint-000030", "metrics.jsonl", "report.html", "run.toml"}));
}

// A terminal that goes away hangs up once or twice: the second time is not the second Ctrl-C.
TEST_F(Training, AnInterruptLeavesACheckpoint) {
  const Arguments run{"--steps", "2000", "--resume"};
  int64_t last = 0;
  size_t written = 0;
  for (const std::vector<int>& signals : {std::vector{SIGINT}, {SIGTERM}, {SIGHUP}, {SIGHUP, SIGHUP, SIGHUP}}) {
    Running running(train_on_data("run", run));
    ASSERT_TRUE(running.wait_until([&] { return read_bytes(path("run/metrics.jsonl")).size() > written + 2000; }));
    for (const int number : signals) {
      running.signal(number);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // or the system makes one of two
    }
    const Outcome outcome = running.wait();
    EXPECT_EQ(unlike_failure(outcome, 130, path("run") + ": stopped after step "), "");
    const auto checkpoints = checkpoints_in(path("run"));
    ASSERT_FALSE(checkpoints.empty());
    const int64_t step = Json::parse_file(checkpoints.back() + "/trainer.json").integer("step");
    EXPECT_GT(step, last);
    EXPECT_EQ(losses_of(path("run")).size(), static_cast<size_t>(step));
    last = step;
    written = read_bytes(path("run/metrics.jsonl")).size();
  }
}

TEST_F(Training, UnderNohupARunOutlivesItsTerminal) {
  const auto before = ::signal(SIGHUP, SIG_IGN);  // the program inherits it
  Running running(train_on_data("run", {"--steps", "2000"}));
  ::signal(SIGHUP, before);
  const auto lines_beyond = [&](size_t bytes) {
    return running.wait_until([&] { return read_bytes(path("run/metrics.jsonl")).size() > bytes; });
  };
  ASSERT_TRUE(lines_beyond(0));
  running.signal(SIGHUP);
  ASSERT_TRUE(lines_beyond(read_bytes(path("run/metrics.jsonl")).size() + 4000)) << "several steps later";
  EXPECT_FALSE(running.ended());
}

TEST_F(Training, ASecondInterruptLeavesAtOnce) {
  Running running(train_on_data("run", {"--steps", "2", "--accumulate", "1000000"}));  // a step that never ends
  ASSERT_TRUE(running.wait_until([&] { return fs::exists(path("run/metrics.jsonl")); }));
  running.signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(running.ended());
  running.signal(SIGINT);
  EXPECT_EQ(running.wait().status, 130);
  EXPECT_TRUE(checkpoints_in(path("run")).empty());
}

TEST_F(Training, CaptureAndGenerateEndWhenTheirTerminalDoes) {
  std::string prompts;
  for (int i = 0; i < 200; ++i) prompts += first_lines(asset("held_out.jsonl"), 5);
  write_bytes(path("many.jsonl"), prompts);
  Running generate({"generate", "--model", kFledgling, "--input", path("many.jsonl"), "--ignore-stop"},
                   {.standard_output = path("lines")});
  ASSERT_TRUE(generate.wait_until([&] { return !read_bytes(path("lines")).empty(); }));
  generate.signal(SIGHUP);
  EXPECT_EQ(unlike_failure(generate.wait(), 130, "generate: interrupted"), "");

  Running capture({"capture", "--model", kFledgling, "--input", asset("conversations.jsonl"), "--output",
                   path("made/features"), "--token-budget", "64"});
  ASSERT_TRUE(capture.wait_until([&] { return !names_in(path("made")).empty(); }));
  capture.signal(SIGHUP);
  EXPECT_EQ(unlike_failure(capture.wait(), 130, "capture: interrupted: nothing is written"), "");
  EXPECT_TRUE(names_in(path("made")).empty());
}

TEST_F(Training, OneTrainingADirectory) {
  Running first(train_on_data("run", {"--steps", "2000", "--checkpoint-every", "5"}));
  ASSERT_TRUE(first.wait_until([&] { return checkpoints_in(path("run")).size() >= 2; }));
  const std::string process =
      read_bytes(path("run/.eyrie-lock")).substr(0, read_bytes(path("run/.eyrie-lock")).find(' '));
  EXPECT_EQ(fs::read_symlink("/proc/" + process + "/exe"), fs::path(EYRIE_PROGRAM));
  const std::string told = path("run") + ": another training (process " + process + ") writes here";
  EXPECT_EQ(unlike_failure(eyrie(train_on_data("run", {"--seed", "5"})), 1, told), "");
  EXPECT_EQ(unlike_failure(eyrie({"train", "--output", path("run"), "--resume"}), 1, told), "");
  EXPECT_EQ(eyrie({"train", "--output", path("run"), "--resume", "--plan"}).status, 0) << "a plan changes nothing";
  first.signal(SIGINT);
  EXPECT_EQ(unlike_failure(first.wait(), 130, "stopped after step "), "");
  EXPECT_FALSE(fs::exists(path("run/.eyrie-lock")));
  losses_of(path("run"));  // every step once
}

TEST_F(Training, OutputAndResumeAreEnough) {
  expect_success(eyrie(train_on_data("draft-run", {"--steps", "1"})));
  fs::copy(path("draft-run/checkpoint-000001"), path("draft"));
  const Arguments run{"train",
                      "--model",
                      kFledgling,
                      "--data",
                      "data.jsonl",
                      "--init-draft",
                      "draft",
                      "--steps",
                      "3",
                      "--ttt-steps",
                      "2",
                      "--checkpoint-every",
                      "1",
                      "--keep",
                      "3",
                      "--learning-rate",
                      "0.00123456",
                      "--dump-steps",
                      "0,1",
                      "--seed",
                      "7",
                      "--held-out",
                      "held-out.jsonl",
                      "--prompt-count",
                      "2",
                      "--loss-decay",
                      "0.7654321"};
  const Setting here{.threads = 2, .working_directory = directory_.path()};
  expect_success(eyrie(run + Arguments{"--output", "whole"}, here));
  expect_success(eyrie(run + Arguments{"--output", "out"}, here));
  const std::string recorded = read_bytes(path("out/run.toml"));
  for (const std::string& line :
       Arguments{"data = '" + data() + "'", "model = '" + kFledgling + "'", "init-draft = '" + path("draft") + "'",
                 "learning-rate = 0.00123456", "beta1 = 0.9", "dump-steps = [ 0, 1 ]", "seed = 7"})
    EXPECT_NE(recorded.find(line + "\n"), std::string::npos) << line << " in\n" << recorded;
  fs::remove_all(path("out/checkpoint-000003"));
  fs::remove_all(path("draft"));
  const Outcome resumed = eyrie({"train", "--output", path("out"), "--resume"}, kTwoThreads);
  expect_success(resumed);
  EXPECT_NE(resumed.error.find("at step 2 of 3"), std::string::npos) << resumed.error;
  expect_same_checkpoint(path("out/checkpoint-000003"), path("whole/checkpoint-000003"));
  EXPECT_EQ(read_bytes(path("out/run.toml")), recorded);

  const Arguments resume{"train", "--output", path("out"), "--resume"};
  const Outcome other = eyrie(resume + Arguments{"--loss-decay", "0.8"});
  EXPECT_EQ(unlike_failure(other, 2, "the run began with loss-decay = 0.7654321, this one has 0.8"), "");
  EXPECT_EQ(read_bytes(path("out/run.toml")), recorded) << "flags that were refused are not recorded";
  const Outcome more = eyrie(resume + Arguments{"--epochs", "5"}, kTwoThreads);
  expect_success(more);
  EXPECT_NE(more.error.find("the run was finished"), std::string::npos) << "--epochs goes before the recorded steps";
  expect_success(eyrie(resume));
  EXPECT_EQ(losses_of(path("out")).size(), 5u);
  write_bytes(path("out/run.toml"), "step = 3\n");
  EXPECT_EQ(
      unlike_failure(eyrie(resume), 2, path("out/run.toml") + ":1: there is no key \"step\"; did you mean steps?"), "");
}

// What strftime_now tells is of the run's beginning, and arguments of the template are recorded as they were given.
TEST_F(Training, AResumedRunHasTheDateOfItsBeginning) {
  fs::create_directory(path("model"));
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"})
    fs::copy(asset(name), path("model"));
  const std::string own = Json::parse_file(asset("tokenizer_config.json")).text("chat_template");
  write_bytes(path("model/chat_template.jinja"), "{{ strftime_now('%H:%M:%S') }}{{ rule.of[1] }}" + own);
  const Arguments run{"--model",
                      path("model"),
                      "--data",
                      data(),
                      "--steps",
                      "4",
                      "--ttt-steps",
                      "2",
                      "--keep",
                      "9",
                      "--checkpoint-every",
                      "2",
                      "--template-arg",
                      R"(rule={"of": [1, "a, b c"]})",
                      "--template-arg",
                      "x=1"};
  expect_success(eyrie(Arguments{"train", "--output", path("run")} + run, kTwoThreads));
  fs::rename(path("run/checkpoint-000004"), path("expected"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  expect_success(eyrie({"train", "--output", path("run"), "--resume"}, kTwoThreads));
  expect_same_checkpoint(path("run/checkpoint-000004"), path("expected"));
}

std::string long_line() {
  std::string words;
  for (int i = 0; i < 2500; ++i) words += "word ";
  return R"({"conversations": [{"from": "human", "value": ")" + words +
         R"("}, {"from": "gpt", "value": "No."}]})"
         "\n";
}

TEST_F(Training, AHeldOutPromptThatIsTooLongIsLeftOut) {
  const std::string line = first_lines(data(), 1);
  write_bytes(path("held_out.jsonl"), line + long_line() + line);
  const Arguments run{"--held-out", path("held_out.jsonl"), "--steps", "2", "--evaluate-every", "1", "--generate-every",
                      "1",          "--checkpoint-every",   "1"};
  const Outcome outcome = eyrie(train_on_data("run", run), kTwoThreads);
  expect_success(outcome);
  for (const char* said :
       {"held out   2 sequences (1 cut, 1 left out unsupervised)",
        "held_out.jsonl: 1 of 3 prompts are left out of the generated accept length; the first: ",
        "held_out.jsonl:2: expected fewer tokens than the 2048 positions of target and draft, found ",
        "over 2 prompts"})
    EXPECT_NE(outcome.error.find(said), std::string::npos) << said << " in\n" << outcome.error;

  const Arguments prompts{"--held-out", held_out(), "--prompts", path("held_out.jsonl"), "--steps", "1"};
  const Outcome of_file = eyrie(train_on_data("prompts", prompts), kTwoThreads);
  expect_success(of_file);
  for (const char* said :
       {"held_out.jsonl: 1 of 3 prompts are left out",
        "held_out.jsonl:2: expected fewer tokens than the 2048 positions of target and draft, found ",
        "over 2 prompts"})
    EXPECT_NE(of_file.error.find(said), std::string::npos) << said << " in\n" << of_file.error;
  write_bytes(path("held_out.jsonl"), long_line());
  EXPECT_EQ(unlike_failure(eyrie(train_on_data("none", prompts)), 1, "held_out.jsonl:1: expected fewer tokens"), "");
  EXPECT_FALSE(fs::exists(path("none"))) << "it is said before the first step";
}

TEST_F(Training, AHeldOutLineWithoutAnAnswerIsNoPrompt) {
  for (const std::string bit : {"0", "1"}) {
    const std::string mask = bit + ", " + bit + ", " + bit;
    write_bytes(path("held_out.jsonl"),
                first_lines(data(), 1) + R"({"input_ids": [1, 200, 2], "loss_mask": [)" + mask + "]}\n");
    const Outcome outcome = eyrie(train_on_data("run" + bit, {"--held-out", path("held_out.jsonl"), "--steps", "1"}));
    expect_success(outcome);
    EXPECT_NE(outcome.error.find("1 of 2 prompts are left out of the generated accept length; the first: " +
                                 path("held_out.jsonl:2") + ": holds no turn to answer"),
              std::string::npos)
        << outcome.error;
    EXPECT_NE(outcome.error.find("over 1 prompt\n"), std::string::npos) << outcome.error;
  }
}

// A copy of a directory of weights with one value of a tensor changed.
void spoil(const std::string& from, const std::string& to, const std::string& tensor, float value) {
  fs::copy(from, to);
  fs::permissions(to, fs::perms::owner_all, fs::perm_options::add);
  fs::remove(to + "/model.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(from + "/model.safetensors");
  const Buffer changed = Buffer::copy_of(file.at(tensor), DType::f32);
  changed.tensor().as<float>()[3] = value;
  std::vector<NamedTensor> tensors;
  for (const auto& [name, found] : file.tensors())
    tensors.push_back({name, name == tensor ? ConstTensor(changed) : found});
  write_safetensors(to + "/model.safetensors", tensors);
}

TEST_F(Training, ADraftThatIsNotFiniteIsNamed) {
  expect_success(eyrie(train_on_data("run", {"--steps", "1"})));
  spoil(path("run/checkpoint-000001"), path("draft"), "fc.weight", NAN);
  const std::string told =
      path("draft/model.safetensors") + ": fc.weight: expected finite values, found nan at [0, 3] (1 of ";
  for (const Arguments& arguments :
       {Arguments{"inspect", path("draft"), "--against", kFledgling},
        {"export", "--checkpoint", path("draft"), "--output", path("out"), "--for", "sglang"},
        {"generate", "--model", kFledgling, "--draft", path("draft"), "--prompt", "hi"},
        {"train", "--model", kFledgling, "--data", data(), "--init-draft", path("draft"), "--output", path("out")}})
    EXPECT_EQ(unlike_failure(eyrie(arguments), 1, told), "") << arguments[0];
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Training, ATargetThatIsNotFiniteIsNamed) {
  const std::string model = vector_file("models/llama-3.1"), features = vector_file("features/llama-3.1");
  spoil(model, path("target"), "model.norm.weight", INFINITY);
  const std::string told = path("target/model.safetensors") +
                           ": model.norm.weight: expected finite values, found inf at [3] (1 of 32 not finite)";
  for (const Arguments& arguments :
       {Arguments{"inspect", path("target")},
        {"capture", "--model", path("target"), "--input", features + "/input.jsonl", "--output", path("out")},
        {"train", "--model", path("target"), "--features", features, "--output", path("out")}})
    EXPECT_EQ(unlike_failure(eyrie(arguments), 1, told), "") << arguments[0];
  spoil(model, path("loud"), "model.norm.weight", 3e38f);  // finite, but its states are not
  EXPECT_EQ(unlike_failure(eyrie({"capture", "--model", path("loud"), "--input", features + "/input.jsonl", "--output",
                                  path("out")}),
                           1, "states of the target: expected finite values, found "),
            "");
  spoil(kFledgling, path("louder"), "model.norm.weight", 3e38f);
  const Outcome outcome = eyrie({"generate", "--model", path("louder"), "--prompt", "hi"});
  EXPECT_EQ(outcome.status, 1);
  const std::string error = "eyrie: " + path("louder") + ": logits: expected the highest to be finite, found ";
  EXPECT_NE(outcome.error.find(error), std::string::npos) << outcome.error;
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Training, FeaturesThatAreNotFiniteAreNamed) {
  const std::string model = vector_file("models/llama-3.1"), features = vector_file("features/llama-3.1");
  const FeatureBatch batch = read_features(features + "/features-00000.safetensors");
  const Buffer taps = Buffer::copy_of(batch.taps, DType::f32);
  taps.tensor().as<float>()[taps.tensor().dim(1) + 2] = NAN;
  fs::create_directory(path("features"));
  write_features(path("features/features-00000.safetensors"), {batch.tokens, taps, batch.last_hidden}, batch.info);
  const Outcome outcome = eyrie({"train", "--features", path("features"), "--target-weights", model, "--steps", "3",
                                 "--ttt-steps", "2", "--output", path("out")});
  EXPECT_EQ(unlike_failure(outcome, 1,
                           path("features/features-00000.safetensors") +
                               ": aux_hidden_states: expected finite values, found nan at [1, 2] (1 of "),
            "");
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Training, CaptureCutsAtTheTargetsPositions) {
  std::string ids = "1", mask = "0";
  for (int i = 1; i < 150; ++i) ids += ", 7", mask += ", 1";
  write_bytes(path("long.jsonl"), R"({"input_ids": [)" + ids + R"(], "loss_mask": [)" + mask + "]}\n" +
                                      R"({"input_ids": [1, 2, 3], "loss_mask": [0, 1, 1]})" + "\n");
  const Outcome outcome = eyrie({"capture", "--model", vector_file("models/llama-3.1"), "--input", path("long.jsonl"),
                                 "--output", path("features")});
  expect_success(outcome);
  EXPECT_NE(outcome.error.find("2 sequences (1 cut at 128 tokens), 131 tokens"), std::string::npos) << outcome.error;
  EXPECT_EQ(read_features(path("features/features-00000.safetensors")).tokens.tokens(), 131);
}

}  // namespace
}  // namespace eyrie::e2e
