#include "app/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/error.h"
#include "io/descriptor.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

using testing::write_bytes;

template <typename Check>
std::string refusal(const Check& check) {
  try {
    check();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
}

TEST(Output, ReplacesOnlyItsOwnFiles) {
  const testing::TemporaryDirectory directory;
  const auto replaced = [](const std::string& path) {
    return refusal([&] { expect_replaceable(path, {"config.json", "part-#.bin"}); });
  };
  const std::string output = directory.file("output");
  EXPECT_EQ(replaced(output), "");
  fs::create_directory(output);
  EXPECT_EQ(replaced(output), "");
  for (const char* own : {"/config.json", "/part-00000.bin", "/part-99999.bin", "/part-100000.bin"})
    write_bytes(output + own, "{}");
  EXPECT_EQ(replaced(output), "");
  EXPECT_EQ(replaced(output + "/config.json"), output + "/config.json: is there already, and not a directory");
  for (const char* other :
       {"config.json.bak", "config.json_my_notes.md", "my config.json", "part-00000.bin.sha256", "part-0.bin",
        "part-0000x.bin", "part-000000.bin", "part-.bin", "part-bin", "apart-00000.bin"}) {
    write_bytes(output + "/" + other, "precious");
    EXPECT_EQ(replaced(output), output + ": holds " + other + ", which would be lost: name another directory");
    fs::remove(output + "/" + other);
  }
  fs::create_directory(output + "/part-00007.bin");
  EXPECT_NE(replaced(output), "");
  fs::remove(output + "/part-00007.bin");
  fs::create_symlink("config.json", output + "/part-00007.bin");
  EXPECT_NE(replaced(output), "");
}

TEST(Output, IsNoInput) {
  const testing::TemporaryDirectory directory;
  const std::string model = directory.file("model"), prompts = directory.file("prompts.jsonl");
  fs::create_directories(model + "/inner");
  for (const char* name : {"/model.safetensors", "/config.json", "/chat_template.jinja", "/answers.jsonl"})
    write_bytes(model + name, "{}");
  write_bytes(prompts, "{}");
  fs::create_symlink("model", directory.file("link"));
  fs::create_symlink("model/config.json", directory.file("linked.json"));
  fs::create_hard_link(model + "/model.safetensors", directory.file("hard"));
  const auto written = [&](const std::string& path) {
    return refusal([&] { expect_not_an_input(path, {"", directory.file("absent"), prompts, model}); });
  };
  for (const std::string& path : {prompts, model, model + "/", model + "/inner/..", directory.file("link")})
    EXPECT_EQ(written(path), path + ": is an input of this command: name another");
  for (const std::string& path :
       {model + "/model.safetensors", model + "/config.json", model + "/chat_template.jinja",
        directory.file("link/config.json"), directory.file("linked.json"), directory.file("hard")})
    EXPECT_EQ(written(path), path + ": is a file of the input " + model + ": name another");
  for (const std::string& path : {std::string(), directory.file("absent"), model + "/absent.json", model + "/inner",
                                  model + "/answers.jsonl", directory.path()})
    EXPECT_EQ(written(path), "");
  EXPECT_EQ(refusal([] { expect_not_an_input("/dev/null", {"/dev/null"}); }), "") << "nothing is replaced";
}

TEST(Output, WritableLeavesWhatStandsThere) {
  const testing::TemporaryDirectory directory;
  const std::string standing = directory.file("standing");
  write_bytes(standing, "mine");
  expect_writable(standing);
  expect_writable(directory.file("absent"));
  EXPECT_EQ(testing::read_bytes(standing), "mine");
  EXPECT_FALSE(fs::exists(directory.file("absent")));
  EXPECT_THROW(expect_writable(standing + "/below"), Error);
  EXPECT_THROW(expect_writable(directory.path()), Error);

  // A pipe is not opened yet: with no reader that would wait, and a reader would be told of an end.
  const std::string pipe = directory.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const Descriptor reader(pipe, O_RDONLY | O_NONBLOCK);
  expect_writable(pipe);
  pollfd end{reader.number(), POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 0), 0);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

}  // namespace
}  // namespace eyrie
