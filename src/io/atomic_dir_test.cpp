#include "io/atomic_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
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

// A process beside this one, killed with its owner.
class Child {
 public:
  explicit Child(const std::function<void()>& work) : process_(fork()) {
    if (process_ != 0) return;
    work();
    _exit(1);
  }
  ~Child() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t process_;
};

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

// What a writer of `path` leaves when it is killed in the middle of its work.
void leave_staging(const std::string& path, const std::function<void(const AtomicDirectory&)>& work) {
  const int status = in_child([&] {
    const AtomicDirectory directory(path);
    work(directory);
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(status, -SIGKILL);
}

TEST(AtomicDirectory, KilledWriterIsClearedAway) {
  const TemporaryDirectory parent;
  save(parent.file("checkpoint"), "old");
  leave_staging(parent.file("checkpoint"),
                [](const AtomicDirectory& directory) { write_bytes(directory.path() + "/file", "new"); });
  EXPECT_EQ(names_in(parent.path()).size(), 2u);
  const AtomicDirectory living(parent.file("checkpoint"));
  EXPECT_EQ(names_in(parent.path()).size(), 2u);
  recover(parent.file("checkpoint"));  // this process lives: its directory stays
  EXPECT_TRUE(fs::exists(living.path()));
  EXPECT_EQ(read_bytes(parent.file("checkpoint/inner/file")), "old");
}

// Of another process, whatever its number here says: only its lock tells.
TEST(AtomicDirectory, LivingWriterElsewhereStays) {
  const TemporaryDirectory parent;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  {
    const Child writer([&] {
      const AtomicDirectory directory(parent.file("checkpoint"));
      if (write(ready[1], "x", 1) == 1) pause();
    });
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    recover_all(parent.path());
    EXPECT_EQ(names_in(parent.path()).size(), 1u);
  }
  recover_all(parent.path());
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>());
}

// Where two names cannot be exchanged: the old directory stands in the staging, the new one beside it.
TEST(AtomicDirectory, WriterKilledBetweenTwoRenames) {
  const TemporaryDirectory parent;
  const std::string path = parent.file("checkpoint");
  save(path, "old");
  leave_staging(path, [&](const AtomicDirectory& directory) {
    fs::rename(path, fs::path(directory.path()).parent_path() / "old");
  });
  EXPECT_FALSE(fs::exists(path));
  recover(parent.file("check"));  // another name's leftovers are its own writer's
  EXPECT_FALSE(fs::exists(path));
  recover(path);
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>{"checkpoint"});
  EXPECT_EQ(read_bytes(path + "/inner/file"), "old");

  leave_staging(path, [&](const AtomicDirectory& directory) {
    fs::rename(path, fs::path(directory.path()).parent_path() / "old");
    fs::rename(directory.path(), path);
  });
  recover_all(parent.path());
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>{"checkpoint"});
  EXPECT_FALSE(fs::exists(path + "/inner")) << "the new one stands";
}

// Names that people give, and a name like ours without the mark: none is a leftover.
TEST(AtomicDirectory, WhatMerelyLooksLikeALeftoverStays) {
  const TemporaryDirectory parent;
  const std::set<std::string> names = {"draft.old-2026-11-28",    "draft.tmp-2026-11-28", "draft.old-19990101-file",
                                       "draft.tmp-123456",        "draft.tmp-4194305-0",  "draft.tmp-eyrie-abcdef",
                                       "draft.tmp-eyrie-marked1", ".tmp-eyrie-abcdef"};
  for (const std::string& name : names) {
    fs::create_directories(parent.file(name) + "/new");
    write_bytes(parent.file(name) + "/new/notes.txt", "precious");
  }
  write_bytes(parent.file("draft.tmp-eyrie-marked1/.eyrie-writer"), "");  // seven characters
  fs::create_directory(parent.file("draft.tmp-2026"));
  recover(parent.file("draft"));
  recover_all(parent.path());
  save(parent.file("draft"), "new");
  EXPECT_TRUE(fs::remove(parent.file("draft.tmp-2026")));
  fs::remove_all(parent.file("draft"));
  EXPECT_EQ(names_in(parent.path()), names);
  for (const std::string& name : names) EXPECT_EQ(read_bytes(parent.file(name) + "/new/notes.txt"), "precious") << name;
}

// Killed between two system calls: before the mark, or with what the mark stood for already gone.
TEST(AtomicDirectory, WriterKilledAroundItsMark) {
  const TemporaryDirectory parent;
  fs::create_directory(parent.file("draft.tmp-eyrie-abcdef"));
  fs::create_directory(parent.file("draft.tmp-eyrie-ABCDEF"));
  write_bytes(parent.file("draft.tmp-eyrie-ABCDEF/.eyrie-writer"), "");
  recover(parent.file("draft"));
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>());
}

// Who sweeps may meet a writer between any two of its system calls: the writer goes on. In memory they meet within
// milliseconds.
TEST(AtomicDirectory, WritersAndSweepersMeet) {
  const TemporaryDirectory parent(fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path());
  {
    const Child sweeper([&] {
      for (;;) recover_all(parent.path());
    });
    for (int time = 0; time < 2000; ++time) {
      const Staging staging(parent.file("draft"));
      fs::create_directory(staging.fresh());
    }
  }
  recover_all(parent.path());
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>());
}

TEST(AtomicDirectory, ALeftoverLosesOnlyWhatItsWriterPutThere) {
  const TemporaryDirectory parent;
  leave_staging(parent.file("draft"), [](const AtomicDirectory& directory) {
    write_bytes(directory.path() + "/file", "new");
    write_bytes(fs::path(directory.path()).parent_path() / "notes.txt", "precious");
  });
  recover_all(parent.path());
  ASSERT_EQ(names_in(parent.path()).size(), 1u);
  EXPECT_EQ(names_in(parent.file(*names_in(parent.path()).begin())), std::set<std::string>{"notes.txt"});
}

TEST(AtomicDirectory, FollowsLinks) {
  const TemporaryDirectory parent;
  save(parent.file("real"), "old");
  fs::create_directory_symlink("real", parent.file("link"));
  fs::create_directory_symlink(parent.file("link"), parent.file("second"));
  fs::create_directory_symlink("deep/absent", parent.file("dangling"));
  fs::create_directory_symlink("circle", parent.file("circle"));
  save(parent.file("second/"), "new");
  save(parent.file("dangling"), "made");
  EXPECT_EQ(read_bytes(parent.file("real/inner/file")), "new");
  EXPECT_EQ(read_bytes(parent.file("deep/absent/inner/file")), "made");
  for (const char* name : {"link", "second", "dangling"}) EXPECT_TRUE(fs::is_symlink(parent.file(name))) << name;
  EXPECT_THROW(save(parent.file("circle"), "never"), Error);
  EXPECT_EQ(names_in(parent.path()), (std::set<std::string>{"circle", "dangling", "deep", "link", "real", "second"}));
}

// A file is no directory and the reverse: what stands there stays.
TEST(AtomicDirectory, ReplacesOnlyItsOwnKind) {
  const TemporaryDirectory parent;
  write_bytes(parent.file("file"), "mine");
  fs::create_directory(parent.file("directory"));
  EXPECT_THROW(save(parent.file("file"), "new"), Error);
  EXPECT_THROW(write_file_atomically(parent.file("directory"), "new"), Error);
  EXPECT_EQ(read_bytes(parent.file("file")), "mine");
  EXPECT_EQ(names_in(parent.path()), (std::set<std::string>{"directory", "file"}));
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

TEST(AtomicFile, FollowsLinks) {
  const TemporaryDirectory parent;
  write_bytes(parent.file("real"), "old");
  fs::create_symlink("real", parent.file("link"));
  fs::create_symlink("absent", parent.file("dangling"));
  write_file_atomically(parent.file("link"), "new");
  write_file_atomically(parent.file("dangling"), "made");
  EXPECT_EQ(read_bytes(parent.file("real")), "new");
  EXPECT_EQ(read_bytes(parent.file("absent")), "made");
  EXPECT_TRUE(fs::is_symlink(parent.file("link")) && fs::is_symlink(parent.file("dangling")));
}

TEST(AtomicFile, WritesIntoAPipe) {
  const TemporaryDirectory parent;
  const std::string pipe = parent.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const Descriptor reader(pipe, O_RDWR | O_NONBLOCK);
  write_file_atomically(pipe, "text");
  char bytes[8] = {};
  EXPECT_EQ(read(reader.number(), bytes, sizeof bytes), 4);
  EXPECT_STREQ(bytes, "text");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>{"pipe"});
}

// A terminal, for it is a device that every user may make.
TEST(AtomicFile, WritesIntoADevice) {
  const TemporaryDirectory parent;
  const Descriptor terminal("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  ASSERT_EQ(unlockpt(terminal.number()), 0);
  const std::string device = ptsname(terminal.number()), link = parent.file("link");
  const Descriptor kept(device, O_RDWR | O_NOCTTY);  // the terminal hangs up with its last user
  fs::create_symlink(device, link);
  write_file_atomically(link, "text");
  char bytes[8] = {};
  EXPECT_EQ(read(terminal.number(), bytes, sizeof bytes), 4);
  EXPECT_STREQ(bytes, "text");
  EXPECT_TRUE(fs::is_symlink(link) && fs::is_character_file(device));
}

// As /dev/stdout: an open file is added to, not replaced, though its name is a link.
TEST(AtomicFile, WritesIntoAnOpenFile) {
  const TemporaryDirectory parent;
  write_bytes(parent.file("log"), "before ");
  const Descriptor open_file(parent.file("log"), O_WRONLY);
  const std::string link = parent.file("link");
  fs::create_symlink("/proc/self/fd/" + std::to_string(open_file.number()), link);
  EXPECT_TRUE(is_stream(link));
  EXPECT_FALSE(is_stream(parent.file("log")) || is_stream(parent.file("absent")) || is_stream(parent.path()));
  write_file_atomically(link, "after");
  EXPECT_EQ(read_bytes(parent.file("log")), "before after");
  EXPECT_EQ(names_in(parent.path()), (std::set<std::string>{"link", "log"}));
}

TEST(AtomicFile, KilledWriterIsClearedAway) {
  const TemporaryDirectory parent;
  const int status = in_child([&] {
    AtomicFile file(parent.file("state"));
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(status, -SIGKILL);
  EXPECT_EQ(names_in(parent.path()).size(), 1u);
  recover_all(parent.path());
  EXPECT_EQ(names_in(parent.path()), std::set<std::string>());
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
