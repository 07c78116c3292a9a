// What messages say: which file, which line, which key; nothing of the program's own affairs.
#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include "training.h"

namespace eyrie::e2e {
namespace {

using namespace std::string_literals;
using testing::read_bytes;
using testing::write_bytes;

class Messages : public Training {
 protected:
  // A run of three steps, a checkpoint behind each.
  void train_run(const Arguments& more = {}) const {
    const Arguments run{"--steps", "3", "--checkpoint-every", "1", "--keep", "9"};
    expect_success(eyrie(train_on_data("run", run + more), kTwoThreads));
  }
  Outcome resume(const Arguments& more = {}) const {
    return eyrie(Arguments{"train", "--output", path("run"), "--resume"} + more, kTwoThreads);
  }
};

void replace_in(const std::string& file, const std::string& from, const std::string& to) {
  std::string text = read_bytes(file);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from << " in\n" << text;
  write_bytes(file, text.replace(at, from.size(), to));
}

TEST_F(Messages, ControlCharactersAreEscaped) {
  EXPECT_EQ(unlike_failure(eyrie({"inspect", "nosuch\x1b[31m"}), 1, "nosuch\\x1b[31m: expected a directory"), "");
  EXPECT_EQ(unlike_failure(eyrie({"train\n"}), 2, "train\\x0a: no such command"), "");
  fs::create_directory(path("nul"));
  const std::string header = R"({"a\u0000b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})";
  write_bytes(path("nul/model.safetensors"),
              std::string{static_cast<char>(header.size())} + "\0\0\0\0\0\0\0"s + header + "12345678");
  const Outcome outcome = eyrie({"inspect", path("nul")});
  EXPECT_EQ(unlike_failure(outcome, 1, "nul/model.safetensors: tensor a\\x00b: "), "");
}

TEST_F(Messages, WhatIsBeingWrittenHasItsFinalName) {
  const Outcome outcome = eyrie({"capture", "--model", kFledgling, "--input", data(), "--output", path("features")},
                                {.file_limit_bytes = 10000});
  EXPECT_EQ(
      unlike_failure(outcome, 1, path("features/features-00000.safetensors") + ": cannot be written: File too large"),
      "");
}

TEST_F(Messages, TheWorkingDirectoryIsNoOutput) {
  expect_success(eyrie(train_on_data("run", {"--steps", "1"})));
  fs::create_directory(path("here"));
  for (const std::string& output : {std::string("."), path("here")})
    EXPECT_EQ(unlike_failure(eyrie({"export", "--checkpoint", path("run/checkpoint-000001"), "--output", output},
                                   {.working_directory = path("here")}),
                             2, output + ": is or holds the working directory"),
              "");
}

TEST_F(Messages, OutOfMemory) {
  const std::string line = "{\"text\": \"" + std::string(60'000'000, 'a') + "\"}\n";
  const Outcome outcome =
      eyrie({"tokenize", "--model", kFledgling}, {.input = line, .memory_limit_bytes = int64_t{1400} << 20});
  EXPECT_EQ(unlike_failure(outcome, 1, "out of memory"), "");
}

TEST_F(Messages, StandardInputThatCannotBeRead) {
  const Outcome outcome = eyrie({"tokenize", "--model", kFledgling}, {.standard_input = path("")});
  EXPECT_EQ(unlike_failure(outcome, 1, "standard input: cannot be read to its end"), "");
}

TEST_F(Messages, APromptsErrorHasItsLine) {
  const std::string prompts = path("prompts.jsonl");
  write_bytes(prompts, "{\"prompt\": \"a\"}\n\n{\"prompt\": \"" + std::string(9000, '7') +
                           "\"}\n{\"messages\": [{\"role\": "
                           "\"assistant\", \"content\": \"a\"}]}\n");
  const Outcome outcome = eyrie({"generate", "--model", kFledgling, "--input", prompts, "--max-new-tokens", "2"});
  EXPECT_EQ(outcome.status, 1);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_GE(lines.size(), 2u) << outcome.error;
  EXPECT_EQ(lines[1].text("error").find(prompts + ":3: prompt: expected 1..2048 tokens, found "), 0u)
      << lines[1].dump();
}

TEST_F(Messages, ATemplateThatIsNotUsedIsNotNamed) {
  const Arguments generate{"generate", "--model", kFledgling, "--prompt", "x", "--max-new-tokens", "1"};
  EXPECT_NE(eyrie(generate).error.find("chat template"), std::string::npos);
  const Outcome raw = eyrie(generate + Arguments{"--raw"});
  expect_success(raw);
  EXPECT_EQ(raw.error.find("chat template"), std::string::npos) << raw.error;
  EXPECT_NE(raw.error.find("1 token, "), std::string::npos) << raw.error;
}

TEST_F(Messages, AResumedRunSaysWhatChanged) {
  train_run();
  fs::remove_all(path("run/checkpoint-000003"));
  const std::string before = read_bytes(data());
  write_bytes(data(), first_lines(asset("conversations.jsonl"), 11));
  EXPECT_EQ(unlike_failure(resume(), 2,
                           data() + ": is not what the run began with (" + path("run/checkpoint-000002") +
                               "): expected 12 sequences, "),
            "");
  write_bytes(data(), before);
  EXPECT_EQ(unlike_failure(resume({"--steps", "5"}), 2, "2 of the run's 3 steps are done: expected as many"), "");
  fs::remove(path("run/checkpoint-000002/model.safetensors"));
  const Outcome back = resume();
  expect_success(back);
  EXPECT_NE(back.error.find("checkpoint-000002 cannot be read (" + path("run/checkpoint-000002/model.safetensors") +
                            ": cannot be opened: No such file"),
            std::string::npos)
      << back.error;
  const Outcome more = resume({"--steps", "5"});
  expect_success(more);
  EXPECT_NE(more.error.find("5 steps (0 skipped)"), std::string::npos) << more.error;
}

TEST_F(Messages, AModelsFilesAreNamed) {
  const std::string model = path("model"), index = model + "/model.safetensors.index.json";
  fs::create_directory(model);
  for (const char* name : {"config.json", "tokenizer.json"}) fs::copy(asset(name), model);
  const std::pair<const char*, const char*> cases[] = {
      {"[]", ": expected an object, found []"},
      {"{\"weight_map\": true}", ": weight_map: expected an object, found true"},
      {"{\"weight_map\": {\"a\": 1e+308}}", ": tensor a: expected a string, found 1e+308"}};
  for (const auto& [text, message] : cases) {
    write_bytes(index, text);
    EXPECT_EQ(unlike_failure(eyrie({"inspect", model}), 1, index + message), "");
  }
  fs::remove(index);
  fs::copy(asset("model.safetensors"), model);
  for (const char* name : {"tokenizer_config.json", "generation_config.json", "tokenizer.json"}) {
    const std::string before = read_bytes(model + "/" + name);
    write_bytes(model + "/" + name, "[]");
    const Outcome outcome = eyrie({"generate", "--model", model, "--prompt", "x", "--raw"});
    EXPECT_EQ(unlike_failure(outcome, 1, model + "/" + name + ": expected an object, found []"), "");
    if (before.empty()) fs::remove(model + "/" + name);
  }
}

TEST_F(Messages, ACheckpointsSettingsHaveTheirFile) {
  train_run({"--seed", "8"});
  const std::string trainer = path("run/checkpoint-000003/trainer.json"), whole = read_bytes(trainer);
  const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"\"seed\": \"8\"", "\"seed\": []", ": settings: seed: expected a string, found []"},
      {"\"applied\": 3", "\"applied\": -3", ": applied: expected an integer from 0"},
      {"\"gradient_norms\": [", "\"gradient_norms\": [null,", ": gradient_norms: expected a number, found null"},
      {"\"settings\": {", "\"settings\": 3, \"s\": {", ": settings: expected an object, found 3"}};
  for (const auto& [from, to, message] : cases) {
    write_bytes(trainer, whole);
    replace_in(trainer, from, to);
    const Outcome outcome = resume({"--plan"});
    EXPECT_NE(outcome.error.find(trainer + message), std::string::npos) << outcome.error;
  }
}

TEST_F(Messages, ADumpsErrorsHaveTheirFile) {
  expect_success(eyrie(train_on_data("run", {"--steps", "1", "--dump-steps", "0"})));
  const std::string dump = path("run/dump-000000"), step = dump + "/step.json", whole = read_bytes(step);
  const Arguments replay{"replay", dump, "--out", path("out.safetensors")};
  const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"\"loss_decay\": 0.8", "\"loss_decay\": -1", ": loss_decay: expected a finite number above 0, found -1"},
      {"\"normalize\": \"step\"", "\"normalize\": \"x\"", ": normalize: expected step or micro-batch, found x"},
      {"\"normalize\": \"step\"", "\"normalize\": 3", ": normalize: expected a string, found 3"},
      {"\"ttt_steps\": 3", "\"ttt_steps\": 40", ": ttt_steps: expected an integer from 1 to 17, found 40"},
      {"\"loss\": ", "\"loss\": \"\", \"l\": ", ": loss: expected a number, found \"\""}};
  for (const auto& [from, to, message] : cases) {
    write_bytes(step, whole);
    replace_in(step, from, to);
    EXPECT_EQ(unlike_failure(eyrie(replay), 1, step + message), "") << to;
  }
  write_bytes(step, "[]");
  EXPECT_EQ(unlike_failure(eyrie(replay), 1, step + ": expected an object, found []"), "");
  EXPECT_FALSE(fs::exists(path("out.safetensors")));

  write_bytes(step, whole);
  replace_in(step, "\"attention\": \"auto\"", "\"attention\": \"flex\"");
  const Outcome flex = eyrie(replay + Arguments{"--attention", "dense"});
  expect_success(flex);
  const std::string said =
      "\nrecorded with attention \"flex\"; computed here with replay's own (--attention)\n\nbackend";
  EXPECT_NE(flex.out.find(said), std::string::npos) << flex.out;
  EXPECT_NE(flex.out.find("\ndense "), std::string::npos) << flex.out;
  replace_in(step, "\"loss\": ", "\"loss\": 9");
  const Outcome other = eyrie(replay);
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.last_error_line().find(step + ": loss: expected 9"), std::string::npos) << other.error;
  EXPECT_NE(other.out.find("\nrecorded loss 9"), std::string::npos) << other.out;
  const Outcome others = eyrie(replay + Arguments{"--ttt-steps", "2"});
  expect_success(others);
  EXPECT_NE(others.out.find(", not compared: it is of other settings\n"), std::string::npos) << others.out;
  write_bytes(step, "{}");
  const Outcome silent = eyrie(replay);
  expect_success(silent);
  EXPECT_EQ(silent.out.find("recorded with"), std::string::npos) << silent.out;
}

// A terminal's other end.
std::string read_terminal(const Arguments& arguments,
                          const std::vector<std::pair<std::string, std::string>>& environment) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return "no terminal";
  const int kept_open = open(ptsname(terminal), O_RDWR | O_NOCTTY);  // or what was written goes with its writer
  Running running(arguments, {.standard_output = ptsname(terminal), .environment = environment});
  std::string text;
  char bytes[4096];
  while (!running.ended())
    if (const ssize_t count = read(terminal, bytes, sizeof bytes); count > 0)
      text.append(bytes, static_cast<size_t>(count));
  for (ssize_t count; (count = read(terminal, bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<size_t>(count));
  close(kept_open);
  close(terminal);
  return text;
}

TEST_F(Messages, ColorOnlyForTerminalsThatWantIt) {
  const Arguments show{"data", data(), "--model", kFledgling, "--show", "1"};
  const std::pair<std::string, std::string> terminal{"TERM", "xterm"}, color{"NO_COLOR", ""};
  EXPECT_NE(read_terminal(show, {terminal, color}).find("\033[32m"), std::string::npos);
  for (const auto& refused : {std::pair<std::string, std::string>{"NO_COLOR", "1"}, {"TERM", "dumb"}}) {
    const std::string text = read_terminal(show, {terminal, color, refused});
    EXPECT_EQ(text.find('\033'), std::string::npos) << text;
    EXPECT_NE(text.find("«"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace eyrie::e2e
