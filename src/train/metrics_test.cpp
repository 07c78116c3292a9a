#include "train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "data/json_lines.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

struct MetricsTest : ::testing::Test {
  MetricsTest() : figures(2) {
    figures.depths[0] = {.loss_sum = 6, .accept_sum = 1, .supervised = 4, .in_vocabulary = 3, .right = 2};
    figures.walked[1].add(3);
  }
  // begin, steps 1 .. `steps`, an evaluation; the file as `keep` steps leave it first.
  void write(int64_t keep, int64_t steps) {
    MetricsFile file(path, keep);
    file.write(RunBegin{.step = keep, .steps = 9, .chain = 2, .time = {}, .about = {{"machine", "a \"b\""}}});
    for (int64_t step = keep + 1; step <= steps; ++step)
      file.write(TrainMetrics{.step = step,
                              .tokens = 10,
                              .loss = step == 2 ? NAN : 1.5,
                              .seconds = 2,
                              .applied = step != 2,
                              .figures = figures,
                              .work = work});
    file.write(
        EvalMetrics{.step = steps, .tokens = 7, .loss = 1.25, .generated_accept_length = 2.5, .figures = figures});
  }
  testing::TemporaryDirectory directory;
  const std::string path = directory.file("metrics.jsonl");
  StepFigures figures;
  WorkShares work;
};

bool is_utc(const std::string& time) {  // "2026-11-30T16:22:11.123Z"
  const std::string form = "dddd-dd-ddTdd:dd:dd.dddZ";
  for (size_t i = 0; i < form.size(); ++i)
    if (i >= time.size() || (form[i] == 'd' ? !std::isdigit(static_cast<unsigned char>(time[i])) : form[i] != time[i]))
      return false;
  return time.size() == form.size();
}

TEST_F(MetricsTest, WhatIsWrittenIsReadAgain) {
  write(0, 3);
  const RunMetrics found = read_metrics(path);
  EXPECT_EQ(found.unread_lines, 0);
  ASSERT_EQ(found.begins.size(), 1u);
  EXPECT_EQ(found.begins[0].steps, 9);
  EXPECT_EQ(found.begins[0].chain, 2);
  EXPECT_EQ(found.begins[0].about, (std::vector<std::pair<std::string, std::string>>{{"machine", "a \"b\""}}));
  ASSERT_EQ(found.steps.size(), 3u);
  EXPECT_EQ(found.step(), 3);
  EXPECT_EQ(found.steps[0].loss, 1.5);
  EXPECT_EQ(found.steps[0].tokens, 10);
  EXPECT_EQ(found.steps[0].depth_loss[0], 2);
  EXPECT_EQ(found.steps[0].depth_accuracy[0], 0.5);
  EXPECT_EQ(found.steps[0].walked[1], 3);
  EXPECT_TRUE(std::isnan(found.steps[1].loss));
  EXPECT_FALSE(found.steps[1].applied);
  ASSERT_EQ(found.evaluations.size(), 1u);
  EXPECT_EQ(found.evaluations[0].generated, 2.5);
  int64_t lines = 0;
  for_each_json_line(path, [&](const Json& line) { lines += is_utc(line.text("time")); });
  EXPECT_EQ(lines, 5);
}

// Each begin line stands before the steps of its process, however often a run is killed before its next step.
TEST_F(MetricsTest, ARunThatGoesOnIsOneRun) {
  write(0, 6);
  write(4, 5);
  write(4, 4);
  write(4, 7);
  const RunMetrics found = read_metrics(path);
  ASSERT_EQ(found.begins.size(), 2u);
  EXPECT_EQ(found.begins[1].step, 4);
  ASSERT_EQ(found.steps.size(), 7u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(found.steps[i].step, static_cast<int64_t>(i) + 1);
}

TEST_F(MetricsTest, ARunGoesOnWithoutItsBrokenLines) {
  write(0, 2);
  std::ofstream(path, std::ios::app) << "{\"kind\": \"tr\n\n{}\n";
  write(2, 4);
  const RunMetrics found = read_metrics(path);
  EXPECT_EQ(found.unread_lines, 0);
  EXPECT_EQ(found.step(), 4);
  EXPECT_EQ(found.evaluations.size(), 2u);
}

TEST_F(MetricsTest, BrokenLinesAreCountedAndOlderOnesRead) {
  write(0, 2);
  std::ofstream(path, std::ios::app) << R"({"kind": "train", "step": "three"}
{"kind": "other", "step": 3}
{"kind": "train", "step": 3, "loss": 2, "tokens": 1, "seconds": 1, "depths": [], "walked_accept_length": []}
{"kind": "train", "st)";
  const RunMetrics found = read_metrics(path);
  EXPECT_EQ(found.unread_lines, 3);
  EXPECT_EQ(found.step(), 3);
  EXPECT_EQ(found.steps.back().time, "");
  EXPECT_THROW(read_metrics(directory.file("absent")), Error);
}

}  // namespace
}  // namespace eyrie
