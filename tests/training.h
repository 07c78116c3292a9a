// tests/training.h: runs of `eyrie train` on a few conversations, and what they leave on disk.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>

#include "program.h"

namespace eyrie::e2e {

namespace fs = std::filesystem;

inline const Setting kTwoThreads{.threads = 2};

// A few conversations and the flags of a run that takes a fraction of a second.
class Training : public ::testing::Test {
 protected:
  Training() {
    testing::write_bytes(data(), first_lines(asset("conversations.jsonl"), 12));
    testing::write_bytes(held_out(), first_lines(asset("conversations.jsonl"), 5));
  }
  std::string data() const { return directory_.file("data.jsonl"); }
  std::string held_out() const { return directory_.file("held-out.jsonl"); }
  std::string path(const std::string& name) const { return directory_.file(name); }
  Arguments train(const std::string& output, const Arguments& more, const char* token_budget = "128") const {
    return Arguments{"train",      "--model",         kFledgling, "--output",
                     path(output), "--ttt-steps",     "3",        "--draft-vocabulary",
                     "256",        "--learning-rate", "0.001"} +
           (token_budget ? Arguments{"--token-budget", token_budget} : Arguments{}) + more;
  }
  Arguments train_on_data(const std::string& output, const Arguments& more, const char* token_budget = "128") const {
    return train(output, Arguments{"--data", data()} + more, token_budget);
  }
  testing::TemporaryDirectory directory_;
};

inline std::vector<std::string> checkpoints_in(const std::string& run) {
  std::vector<std::string> found;
  for (const std::string& name : names_in(run))
    if (name.starts_with("checkpoint-") && name.find('.') == std::string::npos) found.push_back(run + "/" + name);
  return found;
}

inline void expect_success(const Outcome& outcome) { EXPECT_EQ(outcome.status, 0) << outcome.error; }

inline void expect_same_checkpoint(const std::string& found, const std::string& expected) {
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "trainer.json", "config.json"})
    EXPECT_TRUE(testing::read_bytes(found + "/" + name) == testing::read_bytes(expected + "/" + name))
        << found << "/" << name;
  EXPECT_FALSE(testing::read_bytes(found + "/model.safetensors").empty());
}

// The loss of each step: what metrics.jsonl says of it, but how long it took.
inline std::vector<double> losses_of(const std::string& run) {
  std::vector<double> losses;
  for (const Json& line : json_lines(testing::read_bytes(run + "/metrics.jsonl"))) {
    if (line.text("kind") != "train") continue;
    EXPECT_EQ(line.integer("step"), static_cast<int64_t>(losses.size()) + 1);
    losses.push_back(line.number("loss"));
  }
  return losses;
}

}  // namespace eyrie::e2e
