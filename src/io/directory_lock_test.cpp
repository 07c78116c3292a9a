#include "io/directory_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

std::string error_of_locking(const std::string& directory) {
  try {
    const DirectoryLock lock(directory, "training");
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
    return error.what();
  }
}

TEST(DirectoryLock, TheSecondIsToldOfTheFirst) {
  const testing::TemporaryDirectory directory;
  const std::string run = directory.file("run");
  {
    const DirectoryLock lock(run, "training");
    const std::string told = run + ": another training (process " + std::to_string(getpid()) + ") writes here";
    for (int again = 0; again < 2; ++again) EXPECT_EQ(error_of_locking(run), told) << "a refusal changes nothing";
  }
  EXPECT_FALSE(fs::exists(run)) << "nothing was written: nothing stays";
  EXPECT_EQ(error_of_locking(run), "");
}

TEST(DirectoryLock, WhatIsInTheDirectoryStays) {
  const testing::TemporaryDirectory directory;
  {
    const DirectoryLock lock(directory.file("run"), "training");
    testing::write_bytes(directory.file("run/notes"), "mine");
  }
  EXPECT_EQ(testing::read_bytes(directory.file("run/notes")), "mine");
  EXPECT_FALSE(fs::exists(directory.file("run/.eyrie-lock")));
  fs::create_directory(directory.file("empty"));
  EXPECT_EQ(error_of_locking(directory.file("empty")), "");
  EXPECT_TRUE(fs::exists(directory.file("empty"))) << "it was there before";
}

TEST(DirectoryLock, AProcessThatDiesHoldsNothing) {
  const testing::TemporaryDirectory directory;
  const pid_t child = fork();
  if (child == 0) {
    const DirectoryLock lock(directory.path(), "training");
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(testing::read_bytes(directory.file(".eyrie-lock")).find(std::to_string(child) + " "), 0u);
  EXPECT_EQ(error_of_locking(directory.path()), "");
}

TEST(DirectoryLock, AHolderOnAnotherHostIsNamedWithIt) {
  const testing::TemporaryDirectory directory;
  testing::write_bytes(directory.file(".eyrie-lock"), "77 elsewhere\n");
  const Descriptor other(directory.file(".eyrie-lock"), O_RDONLY);
  ASSERT_EQ(flock(other.number(), LOCK_EX), 0);
  EXPECT_EQ(error_of_locking(directory.path()),
            directory.path() + ": another training (process 77 on host elsewhere) writes here");
}

// Who opens the file just before its holder ends must not take the nameless file for the lock.
TEST(DirectoryLock, ManyTakeTurns) {
  const testing::TemporaryDirectory directory;
  constexpr int kProcesses = 8, kTurns = 200;
  for (int i = 0; i < kProcesses; ++i) {
    if (fork() != 0) continue;
    for (int turn = 0; turn < kTurns;) {
      try {
        const DirectoryLock lock(directory.path(), "training");
        const int inside = ::open(directory.file("inside").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0666);
        if (inside < 0) _exit(1);
        ::unlink(directory.file("inside").c_str());
        ::close(inside);
        ++turn;
      } catch (const Error&) {
      }
    }
    _exit(0);
  }
  for (int i = 0; i < kProcesses; ++i) {
    int status = 0;
    wait(&status);
    EXPECT_EQ(status, 0) << "two were inside at once";
  }
}

}  // namespace
}  // namespace eyrie
