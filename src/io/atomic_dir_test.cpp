#include "io/atomic_dir.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>

#include "io/safetensors.h"
#include "tensor/buffer.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;
using testing::read_bytes;
using testing::TemporaryDirectory;
using testing::write_bytes;

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

void save(const std::string& path, const std::string& text) {
  AtomicDirectory directory(path);
  fs::create_directory(directory.path() + "/inner");
  write_bytes(directory.path() + "/inner/file", text);
  directory.commit();
}

// Runs `work` in a child process; returns its exit status, or minus the signal that ended it.
int in_child(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// What the system allows when a disk is full: no file grows beyond `bytes`.
void limit_file_size(rlim_t bytes) {
  const rlimit limit = {bytes, bytes};
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, SIG_IGN);
}

TEST(AtomicDirectory, AppearsWholeAndReplaces) {
  const TemporaryDirectory parent;
  const std::string path = parent.file("deep/checkpoint");
  for (const char* text : {"first", "second", "third"}) {
    save(path + "/", text);
    EXPECT_EQ(read_bytes(path + "/inner/file"), text);
    EXPECT_EQ(names_in(parent.file("deep")), std::set<std::string>{"checkpoint"});
  }
}

TEST(AtomicDirectory, UncommittedLeavesNothing) {
  const TemporaryDirectory parent;
  save(parent.file("checkpoint"), "old");
  {
    AtomicDirectory directory(parent.file("checkpoint"));
    write_bytes(directory.path() + "/file", "new");
    EXPECT_EQ(names_in(parent.path()).size(), 2u);
  }
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>{"checkpoint"});
  EXPECT_EQ(read_bytes(parent.file("checkpoint/inner/file")), "old");
}

TEST(AtomicDirectory, KilledWriterIsClearedAway) {
  const TemporaryDirectory parent;
  save(parent.file("checkpoint"), "old");
  const int status = in_child([&] {
    AtomicDirectory directory(parent.file("checkpoint"));
    write_bytes(directory.path() + "/file", "new");
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(status, -SIGKILL);
  EXPECT_EQ(names_in(parent.path()).size(), 2u);
  const AtomicDirectory living(parent.file("checkpoint"));
  EXPECT_EQ(names_in(parent.path()).size(), 2u);
  recover_directory(parent.file("checkpoint"));  // this process lives: its directory stays
  EXPECT_TRUE(fs::exists(living.path()));
  EXPECT_EQ(read_bytes(parent.file("checkpoint/inner/file")), "old");
}

TEST(AtomicDirectory, WriterKilledBetweenTwoRenames) {
  const TemporaryDirectory parent;
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  save(parent.file("checkpoint.old-" + std::to_string(dead) + "-0"), "old");
  save(parent.file("checkpoint.tmp-" + std::to_string(dead) + "-1"), "new");
  save(parent.file("checkpoint.old-notes"), "somebody else's");
  recover_directory(parent.file("checkpoint"));
  EXPECT_EQ(names_in(parent.path()), (std::set<std::string>{"checkpoint", "checkpoint.old-notes"}));
  EXPECT_EQ(read_bytes(parent.file("checkpoint/inner/file")), "old");
}

TEST(AtomicDirectory, FullDiskLeavesTheOldOne) {
  const TemporaryDirectory parent;
  save(parent.file("checkpoint"), "old");
  const Buffer large = Buffer::zeros(DType::f32, {1 << 16});
  const int status = in_child([&] {
    limit_file_size(100'000);
    try {
      AtomicDirectory directory(parent.file("checkpoint"));
      write_safetensors(directory.path() + "/model.safetensors", std::vector<NamedTensor>{{"large", large}});
      directory.commit();
    } catch (const Error& error) {
      const std::string message = error.what();
      const bool clear =
          message.find("model.safetensors") != std::string::npos && message.find("File too large") != std::string::npos;
      return error.kind() == ErrorKind::file && clear ? 0 : 1;
    }
    return 2;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>{"checkpoint"});
  EXPECT_EQ(read_bytes(parent.file("checkpoint/inner/file")), "old");
}

TEST(AtomicFile, FullDiskLeavesTheOldOne) {
  const TemporaryDirectory parent;
  write_file_atomically(parent.file("state"), "old");
  const int status = in_child([&] {
    limit_file_size(1000);
    try {
      write_file_atomically(parent.file("state"), std::string(5000, 'x'));
    } catch (const Error&) {
      return 0;
    }
    return 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>{"state"});
  EXPECT_EQ(read_file(parent.file("state")), "old");
}

TEST(AtomicFile, ErrorsNameThePathAndTheReason) {
  const TemporaryDirectory parent;
  try {
    read_file(parent.file("absent"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), parent.file("absent") + ": cannot be opened: No such file or directory");
  }
  EXPECT_THROW(read_file(parent.path()), Error);
  EXPECT_THROW(write_file_atomically(parent.file("absent/file"), "text"), Error);
  EXPECT_EQ((write_file_atomically(parent.file("empty"), ""), read_file(parent.file("empty"))), "");
}

}  // namespace
}  // namespace eyrie
