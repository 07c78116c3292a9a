// What a new user meets: help, typos, files that are not what they should be. Every failure is one line.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "base/has_cuda.h"
#include "program.h"

namespace eyrie::e2e {
namespace {

using testing::TemporaryDirectory;
using testing::write_bytes;

const char* const kCommandNames[] = {"tokenize", "data",    "capture", "train",  "export", "replay",
                                     "generate", "inspect", "mask",    "report", "demo",   "bench"};

TEST(Usage, HelpFitsEightyColumnsAndNamesEveryCommand) {
  const Outcome all = eyrie({"--help"});
  EXPECT_EQ(all.status, 0);
  for (const char* name : kCommandNames) {
    EXPECT_NE(all.out.find(std::string("\n  ") + name + " "), std::string::npos) << name;
    const Outcome help = eyrie({name, "--help"});
    EXPECT_EQ(help.status, 0) << name;
    EXPECT_EQ(help.error, "") << name;
    EXPECT_TRUE(help.out.starts_with(std::string("Usage: eyrie ") + name)) << help.out;
    std::string line;
    for (std::istringstream lines(all.out + help.out); std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
  EXPECT_EQ(eyrie({}).out, all.out);
}

TEST(Usage, Typos) {
  const TemporaryDirectory directory;
  const std::string output = directory.file("output"), svg = directory.file("mask.svg");
  const struct {
    Arguments arguments;
    const char* message;
  } cases[] = {
      {{"trian"}, "trian: no such command; did you mean train?"},
      {{"xyzzy"}, "xyzzy: no such command (`eyrie --help` lists them)"},
      {{"train", "--modle", kFledgling}, "train: there is no option --modle; did you mean --model?"},
      {{"export", "--checkpont=x"}, "export: there is no option --checkpont; did you mean --checkpoint?"},
      {{"inspect", "--qqq"}, "inspect: there is no option --qqq"},
      {{"inspect", kFledgling, "again"}, "inspect: \"again\" is one argument too many"},
      {{"generate", "--prompt", "x"}, "generate: --model is required"},
      {{"generate", "--model", kFledgling}, "generate: expected one of --prompt and --input"},
      {{"generate", "--model", kFledgling, "--prompt", ""}, "generate: --prompt: expected text, found \"\""},
      {{"generate", "--model", kFledgling, "--input", ""}, "generate: --input: expected a path, found \"\""},
      {{"generate", "--model", kFledgling, "--input", "x", "--output", ""}, "--output: expected a path, found \"\""},
      {{"train", "--model", kFledgling, "--data", "x", "--output", ""}, "train: --output: expected a path, found \"\""},
      {{"generate", "--model", kFledgling, "--prompt", "x", "--output", output}, "--output takes the lines of --input"},
      {{"generate", "--model", kFledgling, "--prompt", "x", "--temperature", "-1"}, "temperature: expected"},
      {{"generate", "--model", kFledgling, "--prompt", "x", "--temperature", "warm"}, "--temperature"},
      {{"generate", "--model", kFledgling, "--prompt", "x", "--threads", "1025"}, "expected a number from 0 to 1024"},
      {{"generate", "--model", kFledgling, "--prompt", "x", "--chat-template", "x"},
       "generate: --chat-template: \"x\": expected a file or one of"},
      {{"generate", "--model", kFledgling, "--prompt", "x", "--chat-template", "lama3"}, "; did you mean llama3?"},
      {{"capture", "--model", "m", "--input", "i", "--output", output, "--dtype", "f8"}, "--dtype"},
      {{"train", "--model", kFledgling, "--data", "x"}, "train: --output is required"},
      {{"train", "--output", output, "--model", kFledgling}, "expected either data or features"},
      {{"train", "--output", output, "--data", "x"}, "model: conversations need the target"},
      {{"train", "--output", output, "--model", "m", "--data", "x", "--attention", "flash"}, "no backend \"flash\""},
      {{"train", "--output", output, "--ttt-steps", "99"}, "--ttt-steps: expected a number from 1 to 17, found 99"},
      {{"train", "--output", output, "--epochs", "0"}, "train: --epochs: expected a number above 0, found 0"},
      {{"train", "--output", output, "--dump-steps", "4,"}, "--dump-steps: expected no empty item, found \"4,\""},
      {{"generate", "--model", "m", "--chain", "16"}, "--chain: expected a number from 0 to 15, found 16"},
      {{"replay", "d", "--attention", "fused,", "--out", output},
       "--attention: expected no empty item, found \"fused,\""},
      {{"bench", "everything"}, "everything"},
      {{"bench", "attention", "--only", "xyzzy"}, "--only: expected a part of the name of a case (--list names them)"},
      {{"bench", "machine", "--only", "xyzzy"}, "--only: expected a part of the name of a case"},
      {{"bench", "--list", "--only", "xyzzy"}, "--only: expected a part of the name of a case"},
      {{"mask", "--q", "64"}, "mask: --out is required"},
      {{"mask", "--out", svg}, "mask: expected rows from --q, --lengths or --documents, found none"},
      {{"mask", "--q", "64", "--out", output}, "mask: --out: expected a name that ends in .svg, found"},
      {{"mask", "--q", "64", "--out", directory.file("mask.png")}, "mask: --out: expected a name that ends in .svg"},
      {{"mask", "--q", "64", "--out", svg, "--tile", "128"}, "mask: --tile: expected ROWSxKEYS such as 256x128, found"},
      {{"mask", "--q", "64", "--out", svg, "--tile", "8x8x8"}, "mask: --tile: expected ROWSxKEYS"},
      {{"mask", "--q", "64", "--out", svg, "--tile", "1x128"}, "mask: --tile: tile.rows: expected 2 to 65536, found 1"},
      {{"mask", "--q", "64", "--out", svg, "--tile", "8x0"}, "mask: --tile: tile.keys: expected 1 to 65536, found 0"},
      {{"mask", "--q", "-5", "--out", svg}, "mask: --q: expected a number above 0, found -5"},
      {{"mask", "--q", "0", "--out", svg}, "mask: --q: expected a number above 0, found 0"},
      {{"mask", "--q", "1.5", "--out", svg}, "mask: --q: expected a whole number, found \"1.5\""},
      {{"mask", "--q", "64", "--rounds", "0", "--out", svg}, "mask: --rounds: expected a number above 0, found 0"},
      {{"mask", "--q", "2048", "--rounds", "2000000000", "--out", svg},
       "--rounds: rounds: expected 1 to 1048575, found"},
      {{"mask", "--q", "2000000000", "--rounds", "2", "--out", svg},
       "mask: --rounds: rounds: expected 1 to 1, found 2"},
      {{"mask", "--q", "9", "--lengths", "4,10", "--out", svg}, "--q: expected at least the 10 rows"},
      {{"mask", "--q", "9", "--documents", "4,6", "--out", svg}, "--q: expected at least the 10 rows"},
      {{"mask", "--lengths", "4,-5", "--out", svg}, "mask: --lengths: expected a number of at least 0, found -5"},
      {{"mask", "--lengths", "4,,5", "--out", svg}, "mask: --lengths: expected no empty item, found \"4,,5\""},
      {{"mask", "--documents", "4,0", "--out", svg}, "mask: --documents: expected a number above 0, found 0"},
      {{"mask", "--documents", "", "--out", svg}, "mask: --documents: expected no empty item, found \"\""},
      {{"mask", "--documents", "4611686018427387904,4611686018427387904", "--out", svg},
       "mask: --documents: expected at most 268435456 rows in all, found more"},
      {{"mask", "--q", "2000000000", "--tile", "2x2", "--out", svg},
       "mask: --tile: tiles listed: expected 0 to 2147483647, found"},
      {{"mask", "--q", "9999999999", "--out", svg}, "mask: --q: rows: expected 0 to 2147483391, found 9999999999"},
      {{"mask", "--lengths", "9999999999", "--out", svg}, "mask: --lengths: rows: expected 0 to 2147483391, found"},
      {{"mask", "--lengths", "4", "--documents", "4", "--out", svg}, "expected one of --lengths and --documents"},
  };
  for (const auto& one : cases) EXPECT_EQ(unlike_failure(eyrie(one.arguments), 2, one.message), "") << one.message;
  EXPECT_TRUE(names_in(directory.path()).empty()) << "something was written";
}

TEST(Usage, BenchFilterTakesTheCasesItNames) {
  const Outcome some = eyrie({"bench", "--list", "--only", "block_mask/"});
  EXPECT_EQ(some.status, 0) << some.error;
  EXPECT_TRUE(some.out.starts_with("attention ")) << some.out;
  EXPECT_NE(some.out.find("\nblock_mask/"), std::string::npos) << some.out;
  for (const char* other : {"ops ", "machine ", "suffix_attention"})
    EXPECT_EQ(some.out.find(other), std::string::npos) << some.out;
  const Outcome two = eyrie({"bench", "machine", "--list", "training"});
  EXPECT_TRUE(two.out.starts_with("machine ")) << two.out;
  EXPECT_NE(two.out.find("\ntraining "), std::string::npos) << two.out;
  EXPECT_EQ(two.out.find("\nops "), std::string::npos) << two.out;
  const Outcome all = eyrie({"bench", "--list"});
  for (const char* part : {"machine ", "\nops ", "\nattention ", "\ntraining "})
    EXPECT_NE(all.out.find(part), std::string::npos) << all.out;
}

// tools/bench_llama.py reads such lines.
TEST(Usage, BenchPrintsALineForEachCase) {
  const Outcome outcome = eyrie({"bench", "attention", "--only", "block_mask/4096"});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  const std::regex table(
      "\nblock_mask +ms    rate             of share   MiB\n"
      "4096 rows, 5 rounds, 1 documents +\\d+\\.\\d{3} +\\d+\\.\\d GB/s +\\d+\\.\\d +\\d+ % +\\d+\\.\\d\n"
      "\nmost memory in use: \\d+ MiB\n");
  EXPECT_TRUE(std::regex_match(outcome.out, table)) << outcome.out;
}

TEST(Usage, OutputThatCannotBeWritten) {
  const TemporaryDirectory directory;
  write_bytes(directory.file("data.jsonl"), first_lines(asset("conversations.jsonl"), 2));
  write_bytes(directory.file("file"), "mine");
  const std::string data = directory.file("data.jsonl"), file = directory.file("file"), below = file + "/below";
  const Arguments capture{"capture", "--model", kFledgling, "--input", data, "--output"};
  const Arguments train{"train", "--model", kFledgling, "--data", data, "--ttt-steps", "1", "--output"};
  const Arguments generate{"generate", "--model", kFledgling, "--input", data, "--max-new-tokens", "1", "--output"};
  EXPECT_EQ(unlike_failure(eyrie(capture + Arguments{below}), 1, below + ": cannot be written"), "");
  EXPECT_EQ(unlike_failure(eyrie(train + Arguments{below}), 1, below + ": "), "");
  EXPECT_EQ(unlike_failure(eyrie(generate + Arguments{below}), 1, below + ": cannot be written"), "");
  EXPECT_EQ(unlike_failure(eyrie({"generate", "--model", "absent", "--input", data, "--output", below}), 1,
                           below + ": cannot be written"),
            "");
  EXPECT_EQ(unlike_failure(eyrie({"replay", "absent", "--out", below}), 1, below + ": cannot be written"), "");
  EXPECT_EQ(unlike_failure(eyrie({"mask", "--q", "9", "--out", below + ".svg"}), 1, below + ".svg: "), "");
  EXPECT_EQ(unlike_failure(eyrie(capture + Arguments{file}), 2, file + ": is there already, and not a directory"), "");
  EXPECT_EQ(unlike_failure(eyrie(train + Arguments{file}), 1, file + ": "), "");
  EXPECT_EQ(unlike_failure(eyrie(capture + Arguments{directory.path()}), 2, "which would be lost"), "");
  EXPECT_EQ(unlike_failure(eyrie({"export", "--checkpoint", "x", "--output", directory.path()}), 2, "would be lost"),
            "");
  EXPECT_EQ(unlike_failure(eyrie({"inspect", kFledgling}, {.standard_output = "/dev/full"}), 1,
                           "standard output: No space left on device"),
            "");
  EXPECT_EQ(unlike_failure(eyrie({"train", "--help"}, {.standard_output = "/dev/full"}), 1, "standard output: "), "");
  EXPECT_EQ(names_in(directory.path()), (std::vector<std::string>{"data.jsonl", "file"}));
}

TEST(Usage, BadModels) {
  const TemporaryDirectory directory;
  namespace fs = std::filesystem;
  const std::string weights = testing::read_bytes(asset("model.safetensors"));
  const auto model = [&](const std::string& name, const std::string& file, const std::string& bytes) {
    const std::string path = directory.file(name);
    fs::create_directory(path);
    for (const char* part :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"})
      fs::create_symlink(asset(part), path + "/" + part);
    fs::remove(path + "/" + file);
    if (!bytes.empty()) write_bytes(path + "/" + file, bytes);
    return path;
  };
  std::string lying = weights;
  const size_t offsets = lying.find("data_offsets\":[0,");
  ASSERT_NE(offsets, std::string::npos);
  lying[offsets + 17] = lying[offsets + 17] == '9' ? '1' : '9';
  std::string family = testing::read_bytes(asset("config.json"));
  family.replace(family.find("\"llama\""), 7, "\"gizmo\"");
  const struct {
    std::string directory, message;
  } cases[] = {
      {directory.file("absent"), "absent/config.json: cannot be opened: No such file or directory"},
      {model("no-weights", "model.safetensors", ""), "no-weights"},
      {model("truncated", "model.safetensors", weights.substr(0, weights.size() / 2)), "model.safetensors: "},
      {model("no-header", "model.safetensors", weights.substr(0, 5)), "model.safetensors: "},
      {model("lying", "model.safetensors", lying), "model.safetensors: "},
      {model("no-config", "config.json", ""), "config.json: cannot be opened"},
      {model("bad-config", "config.json", "{\n\"hidden_size\": }"), "config.json:2: malformed JSON"},
      {model("family", "config.json", family), "gizmo"},
      {model("bad-tokenizer", "tokenizer.json", "{\"model\": 3}"), "tokenizer.json"},
  };
  for (const auto& one : cases) {
    const Outcome outcome = eyrie({"generate", "--model", one.directory, "--prompt", "x"});
    EXPECT_EQ(unlike_failure(outcome, 1, one.message), "") << one.directory;
  }
}

// CUDA's libraries alone take more.
TEST(Usage, WhatComputesNothingNeedsLittleMemory) {
  if (kHasCuda) GTEST_SKIP() << "a build with CUDA";
  for (const char* asked : {"--version", "--help"}) {
    const Outcome outcome = eyrie({asked}, {.memory_limit_bytes = 150'000 << 10});
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_FALSE(outcome.out.empty());
  }
}

// An absurd number of threads is an error, not a crash.
TEST(Usage, AbsurdNumbersOfThreads) {
  for (const char* command : {"generate", "mask"}) {
    const Outcome outcome = eyrie({command, "--help"}, {.threads = 100'000});
    EXPECT_EQ(outcome.status, 0) << command << outcome.error;
  }
  const Outcome outcome = eyrie({"generate", "--model", kFledgling, "--prompt", "x"}, {.threads = 100'000});
  EXPECT_EQ(unlike_failure(outcome, 2, "OMP_NUM_THREADS: expected at most 1024 threads, found 100000"), "");
}

TEST(Usage, BadConversations) {
  const TemporaryDirectory directory;
  const std::string good = first_lines(asset("conversations.jsonl"), 1);
  const struct {
    const char* name;
    std::string text, message;
  } cases[] = {
      {"empty", "", "empty.jsonl: holds no conversation"},
      {"blank", "\n  \n", "blank.jsonl: holds no conversation"},
      {"malformed", good + "\n{\"conversations\": [}\n", "malformed.jsonl:3: malformed JSON"},
      {"no-messages", good + "{\"conversations\": []}\n", "no-messages.jsonl:2: the conversation is empty"},
      {"null", good + R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null}]})",
       "null.jsonl:2: message 2: content: expected text, found null"},
      {"role", R"({"messages": [{"role": "robot", "content": "a"}]})", "role.jsonl:1: "},
      {"utf8", good + "{\"messages\": [{\"role\": \"user\", \"content\": \"\xff\"}]}\n",
       "utf8.jsonl:2: malformed JSON"},
      {"vocabulary", R"({"input_ids": [1, 2048], "loss_mask": [0, 1]})", "vocabulary.jsonl:1: "},
      {"negative", R"({"input_ids": [1, -2], "loss_mask": [0, 1]})",
       "negative.jsonl:1: input_ids: expected an integer from 0 to"},
      {"mask", R"({"input_ids": [1, 2], "loss_mask": [0]})", "mask.jsonl:1: loss_mask: expected 2 entries, found 1"},
      {"form", "{\"text\": \"hello\"}", "form.jsonl:1: expected \"conversations\", \"messages\" or \"input_ids\""},
      {"type", good + "[1, 2]", "type.jsonl:2: expected an object, found [1,2]"},
  };
  for (const auto& one : cases) {
    const std::string path = directory.file(std::string(one.name) + ".jsonl"), output = directory.file("output");
    write_bytes(path, one.text);
    const Arguments train{"train", "--model", kFledgling, "--data", path, "--output", output};
    const Arguments capture{"capture", "--model", kFledgling, "--input", path, "--output", output};
    for (const Arguments& arguments : {train, capture})
      EXPECT_EQ(unlike_failure(eyrie(arguments), 1, one.message), "") << one.name << " " << arguments[0];
    EXPECT_FALSE(std::filesystem::exists(output)) << one.name;
    std::filesystem::remove(path);
  }
  EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{});
  for (const char* place : {"/dev/null", "/nonexistent"}) {
    const Outcome outcome = eyrie({"train", "--model", kFledgling, "--data", place, "--output", directory.file("o")});
    EXPECT_EQ(unlike_failure(outcome, 1, std::string(place) + ": "), "");
  }
  EXPECT_EQ(unlike_failure(eyrie({"train", "--model", kFledgling, "--data", directory.path(), "--output", "o"}), 1,
                           directory.path() + ": cannot be read: Is a directory"),
            "");
}

TEST(Usage, Tokenize) {
  const Setting good{.input = "{\"text\": \"What is 12 + 30?<|end|>\"}\n\n{\"text\": \"\"}\n"};
  const Outcome outcome = eyrie({"tokenize", "--model", kFledgling}, good);
  EXPECT_EQ(outcome.status, 0);
  const auto lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text("text"), "What is 12 + 30?<|end|>");
  EXPECT_EQ(lines[0].array("ids").back().as_integer(), 2);
  EXPECT_TRUE(lines[1].array("ids").empty());

  const struct {
    const char *input, *message;
  } cases[] = {{"{\"text\": 3}", "standard input:1: text: expected a string, found 3"},
               {"\n{\"txt\": \"a\"}", "standard input:2: missing key \"text\""},
               {"{\"text\": ", "standard input:1: malformed JSON"},
               {"{\"text\": \"\xc3\"}", "standard input:1: malformed JSON"},
               {"7", "standard input:1: expected an object, found 7"}};
  for (const auto& one : cases)
    EXPECT_EQ(unlike_failure(eyrie({"tokenize", "--model", kFledgling}, {.input = one.input}), 1, one.message), "");
  EXPECT_EQ(unlike_failure(eyrie({"tokenize", "--model", "/nonexistent"}), 1, "tokenizer.json: cannot be opened"), "");
  EXPECT_EQ(eyrie({"tokenize", "--model", kFledgling}).status, 0);  // nothing in, nothing out
}

}  // namespace
}  // namespace eyrie::e2e
