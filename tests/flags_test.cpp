// Flags that cannot act, and numbers that are none: errors, whatever the command does.
#include "base/has_cuda.h"
#include "data/features.h"
#include "training.h"

namespace eyrie::e2e {
namespace {

using testing::write_bytes;

class Flags : public Training {
 protected:
  Arguments plan(const Arguments& more) const {
    return Arguments{"train", "--model", kFledgling, "--data", data(), "--plan"} + more;
  }
};

TEST_F(Flags, NumbersAreDecimalAndInRange) {
  const struct {
    const char *flag, *word, *message;
  } cases[] = {
      {"--seed", "-1", "--seed: expected a number of at least 0, found -1"},
      {"--seed", "18446744073709551616",
       "--seed: expected a number from 0 to 9223372036854775807, found 18446744073709551616"},
      {"--steps", "99999999999999999999",
       "--steps: expected a number from 0 to 9223372036854775807, found 99999999999999999999"},
      {"--steps", "-99999999999999999999", "--steps: expected a number of at least 0, found -99999999999999999999"},
      {"--token-budget", "99999999999999999999",
       "--token-budget: expected a number from 1 to 9223372036854775807, found 999"},
      {"--steps", "0x10", "--steps: expected a whole number, found \"0x10\""},
      {"--steps", "010", "--steps: expected a whole number, found \"010\""},
      {"--steps", "1e3", "--steps: expected a whole number, found \"1e3\""},
      {"--steps", "+5", "--steps: expected a whole number, found \"+5\""},
      {"--steps", " 5", "--steps: expected a whole number, found \" 5\""},
      {"--steps", "", "--steps: expected a whole number, found \"\""},
      {"--epochs", "2147483647", "epochs: expected 1 to 10000, found 2147483647"},
      {"--keep", "4294967297", "keep: expected 1 to 2147483647, found 4294967297"},
      {"--learning-rate", "1e999", "--learning-rate: expected a finite number that a double holds, found 1e999"},
      {"--learning-rate", "0x1p-3", "--learning-rate: expected a number, found \"0x1p-3\""},
      {"--loss-decay", "nan", "--loss-decay: expected a finite number that a double holds, found nan"},
      {"--bad-lines", "1.5", "--bad-lines: expected a number from 0 to 1, found 1.5"},
      {"--prompt-count", "-1", "--prompt-count: expected a number of at least 0, found -1"},
      {"--dump-steps", "-1", "--dump-steps: expected a number of at least 0, found -1"},
      {"--dump-steps", "1,0x2", "--dump-steps: expected a whole number, found \"0x2\""},
      {"--tap-ids", "1,1,1", "--tap-ids: expected ids that rise, found 1,1,1"},
      {"--tap-ids", "3,2,0", "--tap-ids: expected ids that rise, found 3,2,0"},
      {"--threads", "0x2", "--threads: expected a whole number, found \"0x2\""},
  };
  for (const auto& [flag, word, message] : cases)
    EXPECT_EQ(unlike_failure(eyrie(plan({flag, word})), 2, message), "") << flag << " " << word;
  expect_success(eyrie(plan({"--seed", "9223372036854775807", "--steps", "0", "--epochs", "10000"})));
}

TEST_F(Flags, WhatCannotActIsAnError) {
  const Arguments generate{"generate", "--model", kFledgling, "--prompt", "x"};
  const std::string features = vector_file("features/llama-3.1"), small = vector_file("models/llama-3.1");
  const Arguments captured{"train", "--model", small, "--features", features, "--plan"};
  const struct {
    Arguments arguments;
    const char* message;
  } cases[] = {
      {plan({"--evaluate-every", "5"}), "train: --evaluate-every: has no effect without --held-out"},
      {plan({"--prompts", "nosuch"}), "train: --prompts: has no effect without --held-out"},
      {plan({"--chain", "3"}), "train: --chain: has no effect without --held-out"},
      {plan({"--held-out", held_out(), "--generate-every", "2"}), "has no effect without --evaluate-every"},
      {plan({"--target-weights", kFledgling}), "train: --target-weights: has no effect without --features"},
      {plan({"--lm-head-key", "x"}), "train: --lm-head-key: has no effect without --features"},
      {plan({"--held-out", data()}), "train: --held-out: is what the draft is trained on"},
      {plan({"--steps", "3", "--epochs", "2"}), "train: --epochs: has no effect beside --steps"},
      {plan({"--init-draft", "d", "--init", "random"}), "train: --init: has no effect on a draft to begin with"},
      {plan({"--init-draft", "d", "--draft-vocabulary", "500"}), "train: --draft-vocabulary: a draft to begin with"},
      {plan({"--steps", "17", "--dump-steps", "500"}),
       "--dump-steps: expected steps from 0 to 16, the last of this run"},
      {plan({"--dtype", "f32"}), "train: --dtype: has no effect without --device cuda"},
      {plan({"--deterministic"}), "train: --deterministic: has no effect without --device cuda"},
      {{"replay", "d", "--out", path("o"), "--dtype", "f32"}, "replay: --dtype: has no effect without --device cuda"},
      {captured + Arguments{"--token-budget", "64"}, "train: --token-budget: has no effect on --features"},
      {captured + Arguments{"--prompts", "nosuch"}, "train: --prompts: has no effect "},
      {generate + Arguments{"--chain", "3"}, "generate: --chain: has no effect without --draft"},
      {generate + Arguments{"--raw", "--chat-template", "llama3"}, "--chat-template: has no effect with --raw"},
      {generate + Arguments{"--top-k", "5"}, "generate: --top-k: has no effect at --temperature 0"},
      {generate + Arguments{"--seed", "5"}, "generate: --seed: has no effect at --temperature 0"},
      {generate + Arguments{"--stop-id", "-1"}, "--stop-id: expected a number from 0 to 2147483647, found -1"},
      {generate + Arguments{"--stop-id", "2,999999"}, "generate: --stop-id: expected ids below 2048, found 999999"},
      {generate + Arguments{"--stop", ""}, "generate: --stop: expected some text, found none"},
      {plan({"--tap-ids", "1,2,99"}), "train: --tap-ids: expected ids of the target's layers, 0 to 7, found 99"},
      {{"capture", "--model", kFledgling, "--input", data(), "--output", path("f"), "--tap-ids", "1,2,8"},
       "capture: --tap-ids: expected ids of the target's layers, 0 to 7, found 8"},
      {{"inspect", "d", "--max-new-tokens", "4"}, "inspect: --max-new-tokens: has no effect without --prompts"},
      {{"data", data(), "--model", kFledgling, "--json", "--show", "1"}, "data: --show: has no effect with --json"},
      {{"data", data(), "--model", kFledgling, "--bad-lines", "nan"}, "--bad-lines: expected a number from 0 to 1"},
  };
  for (const auto& [arguments, message] : cases) EXPECT_EQ(unlike_failure(eyrie(arguments), 2, message), "") << message;
  const Outcome nowhere = eyrie(plan({"--held-out", held_out(), "--prompts", path("nosuch")}));
  EXPECT_EQ(unlike_failure(nowhere, 1, path("nosuch") + ": cannot be opened"), "") << "a plan looks at it too";
  const Outcome no_features = eyrie(captured + Arguments{"--held-out", held_out()});
  EXPECT_EQ(unlike_failure(no_features, 1,
                           held_out() + ": expected a directory of files features-*.safetensors: Not a directory"),
            "");
  const Outcome of_features = eyrie(captured);
  expect_success(of_features);
  EXPECT_NE(of_features.out.find("data       3 sequences (0 cut), "), std::string::npos) << of_features.out;
}

// As the first thing: no conversation is read for nothing, and the demo before stays.
TEST_F(Flags, AGpuThatIsMissingIsSaidBeforeAnythingIsDone) {
  const Setting none{.environment = {{"CUDA_VISIBLE_DEVICES", ""}}};
  fs::create_directories(path("demo/run"));
  write_bytes(path("demo/run/.eyrie-demo"), "");
  write_bytes(path("demo/run/metrics.jsonl"), "{}");
  for (const Arguments& arguments : {train_on_data("run", {"--steps", "1"}),
                                     {"demo", "--target", kFledgling, "--output", path("demo")},
                                     {"replay", vector_file("ttt/plain"), "--out", path("gradients")}}) {
    const Outcome outcome = eyrie(arguments + Arguments{"--device", "cuda"}, none);
    EXPECT_EQ(unlike_failure(outcome, 1, "eyrie: cuda: "), "");
    EXPECT_TRUE(outcome.error.starts_with("eyrie: cuda: ")) << outcome.error;
  }
  for (const char* name : {"run", "gradients"}) EXPECT_FALSE(fs::exists(path(name))) << name;
  EXPECT_EQ(names_in(path("demo")), std::vector<std::string>{"run"});
  EXPECT_EQ(names_in(path("demo/run")), (std::vector<std::string>{".eyrie-demo", "metrics.jsonl"}));
  for (const char* dtype : {"bf16", "f32"}) {
    const Outcome planned = eyrie(plan({"--device", "cuda", "--dtype", dtype, "--deterministic"}), none);
    if (!kHasCuda) {
      EXPECT_EQ(unlike_failure(planned, 1, "eyrie: cuda: this program was built without CUDA"), "");
      continue;
    }
    expect_success(planned);
    EXPECT_NE(planned.out.find("\ncuda       MiB: target and embedding "), std::string::npos) << planned.out;
  }
}

// A limit is no number of its own: there may be fewer tokens. What they cover is said.
TEST_F(Flags, DraftVocabularyIsALimit) {
  const Outcome most = eyrie(plan({"--draft-vocabulary", "100000"}));
  expect_success(most);
  EXPECT_NE(most.out.find("\nvocabulary 2048 of 2048 tokens, which cover 100.00 % of the supervised\n"),
            std::string::npos)
      << most.out;
  const Outcome few = eyrie(plan({"--draft-vocabulary", "20"}));
  EXPECT_NE(few.out.find("\nvocabulary 20 of 2048 tokens, "), std::string::npos) << few.out;
  EXPECT_EQ(few.out.find("100.00 %"), std::string::npos) << few.out;
  expect_success(eyrie({"data", data(), "--model", kFledgling, "--draft-vocabulary", "100000"}));
}

TEST_F(Flags, OneIsNoPlural) {
  write_bytes(data(), first_lines(asset("conversations.jsonl"), 1));
  const Outcome one = eyrie(plan({"--ttt-steps", "1"}));
  expect_success(one);
  for (const char* words : {"data       1 sequence (", "run        1 step of 1 x 2048 tokens at most, 1 batch an epoch",
                            "objective  1 depth, "})
    EXPECT_NE(one.out.find(words), std::string::npos) << words << " in\n" << one.out;
}

}  // namespace
}  // namespace eyrie::e2e
