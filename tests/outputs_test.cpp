// What the program writes over: only what it wrote itself, wherever the output leads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/descriptor.h"
#include "program.h"

namespace eyrie::e2e {
namespace {

namespace fs = std::filesystem;
using testing::read_bytes;
using testing::TemporaryDirectory;
using testing::write_bytes;

// A run with a checkpoint and a dump, and prompts.
class Outputs : public ::testing::Test {
 protected:
  Outputs() {
    write_bytes(path("data.jsonl"), first_lines(asset("conversations.jsonl"), 4));
    write_bytes(path("prompts.jsonl"), first_lines(asset("held_out.jsonl"), 2));
    EXPECT_EQ(eyrie(train("run")).status, 0);
  }
  std::string path(const std::string& name) const { return directory_.file(name); }
  std::string checkpoint() const { return path("run/checkpoint-000001"); }
  Arguments train(const std::string& output, const std::string& model = kFledgling) const {
    return {"train",       "--model", model,     "--data", path("data.jsonl"), "--output", path(output),
            "--ttt-steps", "1",       "--steps", "1",      "--dump-steps",     "0",        "--draft-vocabulary",
            "256"};
  }
  Arguments export_to(const std::string& output) const {
    return {"export", "--checkpoint", checkpoint(), "--output", path(output)};
  }
  Arguments generate(const std::string& output) const {
    return {"generate",         "--model", kFledgling, "--input", path("prompts.jsonl"),
            "--max-new-tokens", "2",       "--output", output};
  }
  TemporaryDirectory directory_;
};

TEST_F(Outputs, BackupsBesideThemStay) {
  const std::vector<std::string> backups = {"draft.old-2026-11-28", "draft.tmp-2026-11-28",
                                            "other/checkpoint-000003.old-2026-11-28"};
  for (const std::string& name : backups) {
    fs::create_directories(path(name));
    write_bytes(path(name + "/notes.txt"), "precious");
  }
  write_bytes(path("draft.old-19990101-file"), "precious");
  for (int time = 0; time < 2; ++time) EXPECT_EQ(eyrie(export_to("draft")).status, 0);
  EXPECT_EQ(eyrie(train("other")).status, 0);
  for (const std::string& name : backups) EXPECT_EQ(read_bytes(path(name + "/notes.txt")), "precious") << name;
  EXPECT_EQ(read_bytes(path("draft.old-19990101-file")), "precious");
  EXPECT_FALSE(fs::exists(path("other/checkpoint-000003")));
  EXPECT_EQ(names_in(path("draft")), (std::vector<std::string>{"config.json", "model.safetensors"}));
}

TEST_F(Outputs, NamesThatBeginLikeItsOwnStay) {
  const Arguments capture{"capture",          "--model",  kFledgling,      "--input",
                          path("data.jsonl"), "--output", path("features")};
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(eyrie(export_to("draft")).status, 0);
    EXPECT_EQ(eyrie(capture).status, 0);
  }
  const auto refuses = [&](const Arguments& arguments, const std::string& directory, const std::string& name) {
    write_bytes(path(directory + "/" + name), "precious");
    EXPECT_EQ(unlike_failure(eyrie(arguments), 2, "holds " + name + ", which would be lost"), "");
    EXPECT_EQ(read_bytes(path(directory + "/" + name)), "precious");
    fs::remove(path(directory + "/" + name));
  };
  for (const char* name : {"model.safetensors.sha256", "config.json.bak", "config.json_my_notes.md"})
    refuses(export_to("draft"), "draft", name);
  for (const char* name : {"features-00000.safetensors.sha256", "features-notes.md", "features-0.safetensors"})
    refuses(capture, "features", name);
}

TEST_F(Outputs, LinksAreFollowed) {
  fs::create_directory(path("real"));
  fs::create_directory_symlink("real", path("link"));
  fs::create_symlink("answers.jsonl", path("link.jsonl"));
  fs::create_symlink("mask.svg", path("link.svg"));
  write_bytes(path("answers.jsonl"), "old");
  EXPECT_EQ(eyrie(export_to("link")).status, 0);
  EXPECT_EQ(eyrie(generate(path("link.jsonl"))).status, 0);
  EXPECT_EQ(eyrie({"mask", "--q", "64", "--out", path("link.svg")}).status, 0);
  EXPECT_EQ(names_in(path("real")), (std::vector<std::string>{"config.json", "model.safetensors"}));
  EXPECT_EQ(json_lines(read_bytes(path("answers.jsonl"))).size(), 2u);
  EXPECT_FALSE(read_bytes(path("mask.svg")).empty());
  for (const char* link : {"link", "link.jsonl", "link.svg"}) EXPECT_TRUE(fs::is_symlink(path(link))) << link;
}

TEST_F(Outputs, PipesAndOpenFilesAreWrittenTo) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const Descriptor reader(path("pipe"), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(eyrie(generate(path("pipe"))).status, 0);
  std::string lines(1 << 16, ' ');
  const ssize_t size = read(reader.number(), lines.data(), lines.size());
  ASSERT_GT(size, 0);
  EXPECT_EQ(json_lines(lines.substr(0, static_cast<size_t>(size))).size(), 2u);
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
  const Outcome printed = eyrie(generate("/dev/stdout"));
  EXPECT_EQ(printed.status, 0) << printed.error;
  EXPECT_EQ(json_lines(printed.out).size(), 2u);
}

// Whatever it is called by: the file, a directory that it is in, a link to either.
TEST_F(Outputs, AnInputIsRefused) {
  const std::string model = path("model"), dump = path("run/dump-000000"), weights = model + "/model.safetensors";
  fs::copy(kFledgling, model);
  fs::copy(checkpoint(), path("draft"));
  fs::create_directory_symlink("draft", path("link"));
  const Arguments ask{"generate", "--model", model, "--draft", path("draft"), "--input", path("prompts.jsonl")};
  const std::string is_input = "is an input of this command", is_file = "is a file of the input ";
  const struct {
    Arguments arguments;
    std::string output, message;
  } cases[] = {
      {ask, path("prompts.jsonl"), is_input},
      {ask, weights, is_file + model},
      {ask, path("link/config.json"), is_file + path("draft")},
      {{"replay", dump, "--model", model}, weights, is_file + model},
      {{"replay", dump}, dump + "/batch.safetensors", is_file + dump},
      {{"replay", dump}, weights, "is there already, and no result of replay"},
      {{"replay", dump}, dump + "/draft/model.safetensors", is_file + dump + "/draft"},
      {{"export", "--checkpoint", path("draft")}, path("draft"), is_input},
      {{"export", "--checkpoint", path("draft")}, path("link"), is_input},
      {{"capture", "--model", model, "--input", path("data.jsonl")}, model, is_input},
      {{"train", "--model", model, "--data", path("data.jsonl"), "--steps", "1"}, model, is_input},
      {{"train", "--model", model, "--data", path("data.jsonl"), "--steps", "1"}, path("data.jsonl"), is_input},
      {{"train", "--model", model, "--data", path("data.jsonl"), "--init-draft", path("draft")},
       path("link"),
       is_input},
      {{"demo", "--target", model}, model, is_input},
  };
  const auto names = names_in(model);
  for (const auto& one : cases) {
    const bool file = fs::is_regular_file(one.output);
    const std::string before = file ? read_bytes(one.output) : "";
    const Arguments output{one.arguments[0] == "replay" ? "--out" : "--output", one.output};
    EXPECT_EQ(unlike_failure(eyrie(one.arguments + output), 2, one.output + ": " + one.message), "");
    EXPECT_TRUE(!file || read_bytes(one.output) == before) << one.output;
  }
  EXPECT_EQ(names_in(model), names);
  EXPECT_EQ(names_in(path("draft")), names_in(checkpoint()));
}

TEST_F(Outputs, ADemoRemovesOnlyWhatADemoMade) {
  for (const char* name : {"run", "draft", "draft-config"}) {
    const std::string mine = path("of-mine/" + std::string(name));
    fs::create_directories(mine);
    write_bytes(mine + "/weights", "precious");
    EXPECT_EQ(unlike_failure(eyrie({"demo", "--target", kFledgling, "--output", path("of-mine")}), 2,
                             mine + ": is there already, and no demo made it"),
              "");
    EXPECT_EQ(read_bytes(mine + "/weights"), "precious");
    EXPECT_EQ(names_in(path("of-mine")), std::vector<std::string>{name});
    fs::remove_all(mine);
  }
  const auto trains = [&] {
    Running demo({"demo", "--target", kFledgling, "--output", path("demo")});
    EXPECT_TRUE(demo.wait_until([&] { return !read_bytes(path("demo/run/metrics.jsonl")).empty(); }));
    demo.signal(SIGKILL);
    demo.wait();
  };
  trains();
  const Arguments again{"demo", "--target", kFledgling, "--output", path("demo")};
  write_bytes(path("demo/run/metrics.jsonl"), "");
  write_bytes(path("demo/run/mine"), "precious");
  EXPECT_EQ(unlike_failure(eyrie(again), 2, path("demo/run") + ": holds mine, which no demo wrote"), "");
  EXPECT_EQ(read_bytes(path("demo/run/mine")), "precious");
  fs::remove(path("demo/run/mine"));
  fs::create_directory(path("demo/run/checkpoint-000007"));
  trains();
  EXPECT_FALSE(fs::exists(path("demo/run/checkpoint-000007")));
  Running first(again);
  ASSERT_TRUE(first.wait_until([&] { return first.error_so_far().find("step 1/") != std::string::npos; }));
  EXPECT_EQ(unlike_failure(eyrie(again), 1, path("demo") + ": another demo (process "), "");
}

// One prompt that does not fit costs the others nothing.
TEST_F(Outputs, APromptThatFailsHasALineOfItsOwn) {
  std::string words, prompts = R"({"id": "a", "prompt": "What is 12 + 30?"}
{"id": "b", "prompt": "WORDS"}
{"input_ids": []}
{"id": "c", "prompt": "What is 2 + 3?"}
)";
  for (int i = 0; i < 3000; ++i) words += "word ";
  write_bytes(path("long.jsonl"), prompts.replace(prompts.find("WORDS"), 5, words));
  const Arguments ask{"generate", "--model", kFledgling, "--max-new-tokens", "2", "--input", path("long.jsonl")};
  const Outcome printed = eyrie(ask), written = eyrie(ask + Arguments{"--output", path("answers.jsonl")});
  EXPECT_EQ(unlike_failure(written, 1, path("long.jsonl") + ": 2 of 4 prompts could not be answered"), "");
  EXPECT_EQ(printed.status, 1);
  EXPECT_EQ(printed.out, read_bytes(path("answers.jsonl")));
  const auto lines = json_lines(printed.out);
  ASSERT_EQ(lines.size(), 4u);
  for (const size_t answered : {0, 3}) EXPECT_EQ(lines[answered].array("ids").size(), 2u);
  EXPECT_EQ(lines[1].text("id"), "b");
  EXPECT_TRUE(lines[1].text("error").starts_with(path("long.jsonl") + ":2: prompt: expected 1..2048 tokens, found "))
      << lines[1].dump();
  EXPECT_FALSE(lines[1].find("text"));
  EXPECT_EQ(lines[2].text("error"), path("long.jsonl") + ":3: holds no turn to answer");
  // What is wrong with every prompt is wrong with the command.
  EXPECT_EQ(unlike_failure(eyrie(ask + Arguments{"--temperature", "-1"}), 2, "temperature: expected"), "");
}

}  // namespace
}  // namespace eyrie::e2e
