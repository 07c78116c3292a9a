#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names(const std::string& run) {
  std::vector<std::string> list;
  for (const std::string& path : list_checkpoints(run)) list.push_back(fs::path(path).filename());
  return list;
}

TEST(Checkpoints, TheNewestAndTheBestAreKept) {
  const testing::TemporaryDirectory directory;
  const std::string& run = directory.path();
  for (const int64_t step : {5, 40, 300, 2000, 1000000}) fs::create_directories(checkpoint_path(run, step));
  fs::create_directories(run + "/checkpoint-x7");
  fs::create_directories(run + "/.checkpoint-000050.tmp");
  EXPECT_EQ(names(run), (std::vector<std::string>{"checkpoint-000005", "checkpoint-000040", "checkpoint-000300",
                                                  "checkpoint-002000", "checkpoint-1000000"}))
      << "by step, not by name";
  prune_checkpoints(run, 2, {.step = 1000000, .best_step = 40});
  EXPECT_EQ(names(run), (std::vector<std::string>{"checkpoint-000040", "checkpoint-002000", "checkpoint-1000000"}));
  EXPECT_TRUE(fs::exists(run + "/checkpoint-x7")) << "not ours";
}

}  // namespace
}  // namespace eyrie
