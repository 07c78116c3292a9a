#include "app/output.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

std::string refusal(const std::string& directory) {
  try {
    expect_replaceable(directory, {"config.json", "part-"});
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
}

TEST(Output, ReplacesOnlyItsOwnKind) {
  const testing::TemporaryDirectory directory;
  EXPECT_EQ(refusal(directory.file("absent")), "");
  EXPECT_EQ(refusal(directory.path()), "");
  testing::write_bytes(directory.file("config.json"), "{}");
  testing::write_bytes(directory.file("part-7"), "");
  EXPECT_EQ(refusal(directory.path()), "");
  EXPECT_EQ(refusal(directory.file("part-7")), directory.file("part-7") + ": is there already, and not a directory");
  std::filesystem::create_directory(directory.file("part-of-mine"));
  EXPECT_EQ(refusal(directory.path()),
            directory.path() + ": holds part-of-mine, which would be lost: name another directory");
}

TEST(Output, WritableLeavesWhatStandsThere) {
  const testing::TemporaryDirectory directory;
  const std::string standing = directory.file("standing");
  testing::write_bytes(standing, "mine");
  expect_writable(standing);
  expect_writable(directory.file("absent"));
  EXPECT_EQ(testing::read_bytes(standing), "mine");
  EXPECT_FALSE(std::filesystem::exists(directory.file("absent")));
  EXPECT_THROW(expect_writable(standing + "/below"), Error);
  EXPECT_THROW(expect_writable(directory.path()), Error);
}

}  // namespace
}  // namespace eyrie
