// `eyrie train --config FILE`: TOML by its rules, the same flags; and the run.toml that a run records.
#include "training.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using testing::write_bytes;

class Config : public Training {
 protected:
  Outcome plan(const std::string& text, const Arguments& more = {}) const {
    write_bytes(path("c.toml"), text);
    return eyrie(Arguments{"train", "--config", path("c.toml"), "--plan"} + more);
  }
  std::string with_data(const std::string& text) const {
    return "model = '" + kFledgling + "'\ndata = '" + data() + "'\n" + text;
  }
};

TEST_F(Config, TomlByItsRules) {
  const Outcome plain = eyrie({"train", "--model", kFledgling, "--data", data(), "--steps", "1000", "--seed", "9",
                               "--tap-ids", "0,3,6", "--loss-decay", "0.5", "--learning-rate", "1", "--plan"});
  expect_success(plain);
  const Outcome found = plan("\xef\xbb\xbf# a comment\nmodel = \"\"\"" + kFledgling + "\"\"\"\n'data' = \"" + data() +
                             "\" # behind\nsteps = 1_000\nseed = 0b1001\ntap-ids = [\n  0, 0x3,\n  6, ]\nloss-decay = "
                             "5e-1\nlearning-rate = 1\n");
  expect_success(found);
  EXPECT_EQ(found.out, plain.out);
  EXPECT_EQ(plan(with_data("steps = 5"), {"--steps", "7"}).out, plan(with_data("steps = 7")).out) << "a flag first";
  EXPECT_NE(plan(with_data("steps = 5"), {"--steps", "7"}).out, plan(with_data("steps = 5")).out);
}

TEST_F(Config, EveryErrorHasFileLineAndKey) {
  const struct {
    std::string text;
    int line;
    const char* message;
  } cases[] = {
      {"model = \"F", 1, ""},
      {"\nsteps =\n", 2, ""},
      {"steps = 010", 1, ""},
      {"; steps = 3", 1, ""},
      {"steps: 3", 1, ""},
      {"steps = 1\nsteps = 2", 2, ""},
      {"seed = 18446744073709551616", 1, ""},
      {"model = \"x\"\nttt-step = 3\n", 2, "there is no key \"ttt-step\"; did you mean ttt-steps?"},
      {"config = \"x\"", 1, "there is no key \"config\""},
      {"steps = 1\n[train]\nmodel = \"x\"\n", 2, "there is no section [train]"},
      {"data = 3", 1, "data: expected a string, found an integer"},
      {"steps = 3.0", 1, "steps: expected an integer, found a number"},
      {"steps = \"3\"", 1, "steps: expected an integer, found a string"},
      {"plan = 1", 1, "plan: expected true or false, found an integer"},
      {"tap-ids = 3", 1, "tap-ids: expected an array, each an integer, found an integer"},
      {"tap-ids = \"1,2,3\"", 1, "tap-ids: expected an array, each an integer, found a string"},
      {"steps = [3]", 1, "steps: expected an integer, found an array, each an integer"},
      {"tap-ids = [1,\n 'a']", 2, "tap-ids: expected values of one type, found a string behind an integer"},
      {"seed = 1979-05-27", 1, "seed: expected a string, a number, true, false or an array of such, found a date"},
      {"\nepochs = 0", 2, "epochs: expected a number above 0, found 0"},
      {"seed = -1", 1, "seed: expected a number of at least 0, found -1"},
      {"tap-ids = [3, 2, 0]", 1, "tap-ids: expected ids that rise, found 3,2,0"},
      {"init = \"x\"", 1, "init: x not in {target,random}"},
      {with_data("tap-ids = [1, 2, 8]"), 3, "tap-ids: expected ids of the target's layers, 0 to 7, found 8"},
      {with_data("learning-rate = 0"), 3, "learning-rate: expected a finite number above 0, found 0"},
      {with_data("evaluate-every = 5"), 3, "evaluate-every: has no effect without --held-out"},
      {with_data("attention = \"flash\""), 3, "attention: "},
  };
  for (const auto& [text, line, message] : cases)
    EXPECT_EQ(unlike_failure(plan(text), 2, path("c.toml") + ":" + std::to_string(line) + ": " + message), "") << text;
  const Outcome absent = eyrie({"train", "--config", path("absent.toml")});
  EXPECT_EQ(unlike_failure(absent, 1, path("absent.toml") + ": cannot be opened"), "");
}

TEST_F(Config, ARecordedRunHoldsAnyPath) {
  const std::string odd = "it's #1 \"data\" \\ é.jsonl";
  fs::rename(data(), path(odd));
  expect_success(eyrie(train("run", {"--data", path(odd), "--steps", "2", "--checkpoint-every", "1", "--keep", "9"})));
  fs::remove_all(path("run/checkpoint-000002"));
  const Outcome resumed = eyrie({"train", "--output", path("run"), "--resume"});
  expect_success(resumed);
  EXPECT_NE(resumed.error.find("at step 1 of 2"), std::string::npos) << resumed.error;
  const Outcome again = eyrie({"train", "--config", path("run/run.toml"), "--output", path("again"), "--plan"});
  expect_success(again);
}

// What a flag takes and TOML does not is recorded as TOML writes it.
TEST_F(Config, ARecordedRunHoldsAnyNumber) {
  expect_success(
      eyrie(train_on_data("run", {"--steps", "1", "--loss-decay", ".5", "--clip", "05.", "--beta2", "99e-2"})));
  const std::string recorded = read_bytes(path("run/run.toml"));
  for (const char* line : {"\nloss-decay = 0.5\n", "\nclip = 5\n", "\nbeta2 = 99e-2\n"})
    EXPECT_NE(recorded.find(line), std::string::npos) << line << recorded;
  expect_success(eyrie({"train", "--config", path("run/run.toml"), "--output", path("again"), "--plan"}));
}

}  // namespace
}  // namespace eyrie::e2e
