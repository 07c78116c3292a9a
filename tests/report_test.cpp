// The page of a run through the program, whatever became of the run; and the examples that each help ends with.
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "training.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using testing::write_bytes;

int count(const std::string& text, const std::string& needle) {
  int found = 0;
  for (size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + 1)) ++found;
  return found;
}

// Every element is closed by its own end, attributes are quoted: what XML asks, but for <meta> and the head.
std::string unlike_page(const std::string& html) {
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const size_t end = html.find('>', at);
    if (end == std::string::npos) return "an open tag";
    const std::string tag = html.substr(at + 1, end - at - 1), name = tag.substr(0, tag.find_first_of(" /", 1));
    if (count(tag, "\"") % 2 != 0) return "an open quotation mark in <" + tag + ">";
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != tag) return "</" + tag + "> closes nothing";
      open.pop_back();
    } else if (tag[0] != '!' && name != "meta" && tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

class Report : public Training {
 protected:
  Arguments run(const Arguments& more) const {
    return train_on_data("run", Arguments{"--steps", "4", "--checkpoint-every", "2", "--keep", "9", "--held-out",
                                          held_out(), "--evaluate-every", "2", "--prompt-count", "2", "--seed", "7"} +
                                    more);
  }
  std::string page() const { return read_bytes(path("run/report.html")); }
};

TEST_F(Report, TrainWritesItAndReportAgain) {
  expect_success(eyrie(run({})));
  const std::string html = page();
  EXPECT_EQ(unlike_page(html), "");
  for (const char* fact :
       {"Eyrie: a draft for fledgling", "finished: 4 of 4 steps", "<td>seed</td><td>7</td>", " threads</td>",
        "UTC, eyrie ", "loss, held out", "accept length, generated (2 prompts)", "draft-vocabulary"})
    EXPECT_GE(count(html, fact), 1) << fact;
  EXPECT_EQ(count(html, ">held out</text>"), 2) << "the loss and the accept length";
  EXPECT_EQ(count(html, ">depth 2</text>"), 2);
  EXPECT_EQ(count(html, "class=\"answer\""), 2);

  fs::remove(path("run/report.html"));
  const Outcome again = eyrie({"report", path("run")});
  expect_success(again);
  EXPECT_NE(again.error.find("report: " + path("run/report.html")), std::string::npos) << again.error;
  EXPECT_EQ(page().substr(0, page().rfind("Page of")), html.substr(0, html.rfind("Page of")));
  const Outcome printed = eyrie({"report", path("run"), "--output", "/dev/stdout"});
  EXPECT_EQ(unlike_page(printed.out), "");
}

TEST_F(Report, AResumedRunIsOnePage) {
  expect_success(eyrie(run({})));
  fs::remove_all(path("run/checkpoint-000004"));
  expect_success(eyrie(run({"--resume"})));
  const std::string html = page();
  EXPECT_EQ(count(html, "<td>started</td>"), 1);
  EXPECT_EQ(count(html, "<td>went on behind step 2</td>"), 1);
  EXPECT_EQ(count(html, "finished: 4 of 4 steps"), 1);
  EXPECT_EQ(losses_of(path("run")).size(), 4u);
}

TEST_F(Report, ARunThatGoesOnOrWasKilledHasAPageUpToThere) {
  Running running(train_on_data("run", {"--steps", "2000"}));
  const auto steps = [&] { return count(read_bytes(path("run/metrics.jsonl")), "\"train\""); };
  ASSERT_TRUE(running.wait_until([&] { return steps() > 2; }));
  expect_success(eyrie({"report", path("run")}));
  EXPECT_EQ(count(page(), " of 2000 steps: still going, or broken off after 2"), 1);
  running.signal(SIGKILL);
  running.wait();
  const std::string metrics = read_bytes(path("run/metrics.jsonl"));
  write_bytes(path("run/metrics.jsonl"), metrics.substr(0, metrics.rfind("{\"kind\"") + 40));
  expect_success(eyrie({"report", path("run")}));
  EXPECT_EQ(unlike_page(page()), "");
  EXPECT_EQ(count(page(), "broken lines of metrics.jsonl, left out</td><td>1<"), 1);
  write_bytes(path("run/metrics.jsonl"), "");
  expect_success(eyrie({"report", path("run")}));
  EXPECT_EQ(unlike_page(page()), "");
}

TEST_F(Report, ARunOfWhichNoLineCanBeRead) {
  fs::create_directory(path("run"));
  for (const std::string& text : {std::string("hello\nworld\n"), std::string(5000, '\0')}) {
    write_bytes(path("run/metrics.jsonl"), text);
    EXPECT_EQ(unlike_failure(eyrie({"report", path("run")}), 1, path("run/metrics.jsonl") + ":1: "), "");
    EXPECT_EQ(names_in(path("run")), std::vector<std::string>{"metrics.jsonl"});
  }
}

TEST_F(Report, WhatIsNoRunAndWhatIsNoReport) {
  fs::create_directory(path("empty"));
  EXPECT_EQ(
      unlike_failure(eyrie({"report", path("empty")}), 1, path("empty") + ": is no run: it holds no metrics.jsonl"),
      "");
  EXPECT_EQ(unlike_failure(eyrie({"report", path("absent")}), 1,
                           path("absent") + ": expected the directory of a run, found none"),
            "");
  EXPECT_EQ(unlike_failure(eyrie({"report", data()}), 1, data() + ": expected the directory of a run"), "");
  EXPECT_EQ(unlike_failure(eyrie({"report"}), 2, "report: RUN is required"), "");
  EXPECT_TRUE(names_in(path("empty")).empty());

  fs::create_directory(path("run"));
  write_bytes(path("run/metrics.jsonl"), "");
  write_bytes(path("run/report.html"), "<html>mine</html>");
  const std::string refused = path("run/report.html") + ": is there already, and no report: name another";
  EXPECT_EQ(unlike_failure(eyrie({"report", path("run")}), 2, refused), "");
  EXPECT_EQ(unlike_failure(eyrie(run({})), 2, refused), "");
  EXPECT_EQ(unlike_failure(eyrie({"report", path("run"), "--output", data()}), 2, data() + ": is there already"), "");
  EXPECT_EQ(page(), "<html>mine</html>");
}

// The example that the help of a command ends with, as one line.
std::string example_of(const std::string& command) {
  const std::string help = eyrie({"help", command}).out;
  const size_t at = help.rfind("\nExample:\n");
  EXPECT_NE(at, std::string::npos) << help;
  return help.substr(at + 10);
}

class Examples : public Training {
 protected:
  Examples() { fs::create_directory_symlink(EYRIE_SOURCE_DIR "/assets", path("assets")); }
  // As a shell runs it in Eyrie's own directory.
  void expect_works(const std::string& line) {
    const std::string shell = "cd " + directory_.path() + " && set -e && export OMP_NUM_THREADS=1 PATH=" +
                              fs::path(EYRIE_PROGRAM).parent_path().string() + ":$PATH && { " + line +
                              "\n} >out 2>error";
    EXPECT_EQ(std::system(shell.c_str()), 0) << line << read_bytes(path("error"));
    EXPECT_EQ(count(read_bytes(path("error")), "warning"), 0) << read_bytes(path("error"));
  }
};

TEST_F(Examples, OfEveryHelpWork) {
  for (const char* command :
       {"tokenize", "data", "capture", "train", "report", "export", "replay", "generate", "inspect", "mask"})
    expect_works(example_of(command));
  const std::string bench = example_of("bench");
  expect_works(bench.substr(0, bench.find_last_not_of(" \n") + 1) + " --list");
  std::istringstream words(example_of("demo"));
  Arguments demo;
  for (std::string word; words >> word;) demo.push_back(word);
  ASSERT_GE(demo.size(), 2u);
  Running running({demo.begin() + 1, demo.end()}, {.working_directory = directory_.path()});
  EXPECT_TRUE(running.wait_until([&] { return running.error_so_far().find("step 1/") != std::string::npos; }));
}

TEST(Help, HelpOfACommandIsItsHelp) {
  EXPECT_EQ(eyrie({"help", "train"}).out, eyrie({"train", "--help"}).out);
  EXPECT_EQ(eyrie({"--help", "report"}).out, eyrie({"report", "--help"}).out);
  EXPECT_EQ(unlike_failure(eyrie({"help", "trian"}), 2, "trian: no such command; did you mean train?"), "");
  EXPECT_NE(eyrie({"help", "train"}).out.find("docs/training.md"), std::string::npos);
}

}  // namespace
}  // namespace eyrie::e2e
