// Generation, inspection and their drafts through the program.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "program.h"

namespace eyrie::e2e {
namespace {

namespace fs = std::filesystem;
using testing::read_bytes;
using testing::TemporaryDirectory;
using testing::write_bytes;

const std::string kOtherTarget = EYRIE_SOURCE_DIR "/tests/data/models/llama-3.1";

// A draft that has seen enough to be right at times, and three held-out problems.
class Serving : public ::testing::Test {
 protected:
  Serving() {
    write_bytes(path("data.jsonl"), first_lines(asset("conversations.jsonl"), 60));
    write_bytes(path("prompts.jsonl"), first_lines(asset("held_out.jsonl"), 3));
    const Outcome trained =
        eyrie({"train", "--model", kFledgling, "--data", path("data.jsonl"), "--output", path("run"), "--steps", "24",
               "--token-budget", "256", "--ttt-steps", "2", "--draft-vocabulary", "512", "--learning-rate", "0.003"});
    EXPECT_EQ(trained.status, 0) << trained.error;
  }
  std::string path(const std::string& name) const { return directory_.file(name); }
  std::string draft() const { return path("run/checkpoint-000024"); }

  Arguments generate(const Arguments& more) const {
    return Arguments{"generate", "--model", kFledgling, "--max-new-tokens", "40"} + more;
  }
  std::vector<Json> answers(const Arguments& more) const {
    const Outcome outcome = eyrie(generate(Arguments{"--input", path("prompts.jsonl")} + more));
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    return json_lines(outcome.out);
  }
  TemporaryDirectory directory_;
};

std::vector<std::string> ids_of(const std::vector<Json>& answers) {
  std::vector<std::string> ids;
  for (const Json& answer : answers) ids.push_back(answer.at("ids").dump());
  return ids;
}

double longest_accept(const std::vector<Json>& answers) {
  double longest = 0;
  for (const Json& answer : answers) longest = std::max(longest, answer.number("accept_length"));
  return longest;
}

TEST_F(Serving, ADraftChangesNoId) {
  const Arguments with_draft{"--draft", draft(), "--chain", "3"};
  const Arguments sampled{"--temperature", "0.8", "--top-k", "50", "--top-p", "0.95", "--min-p", "0.01", "--seed", "7"};
  const auto greedy = answers({});
  ASSERT_EQ(greedy.size(), 3u);
  const auto speculated = answers(with_draft);
  EXPECT_EQ(ids_of(speculated), ids_of(greedy));
  EXPECT_GT(longest_accept(speculated), 1.1) << "no draft was ever right: the test shows nothing";
  EXPECT_EQ(longest_accept(greedy), 1);
  const auto drawn = answers(sampled);
  EXPECT_EQ(ids_of(answers(sampled + with_draft)), ids_of(drawn));
  EXPECT_NE(ids_of(drawn), ids_of(greedy));
  EXPECT_NE(ids_of(answers({"--temperature", "2", "--seed", "8"})),
            ids_of(answers({"--temperature", "2", "--seed", "9"})));
}

TEST_F(Serving, OnePromptStreamsTheTextOfItsLine) {
  const std::string question = json_lines(read_bytes(path("prompts.jsonl")))[0].text("question");
  const Json line = answers({})[0];
  const Outcome streamed = eyrie(generate({"--prompt", question, "--draft", draft()}));
  EXPECT_EQ(streamed.status, 0);
  EXPECT_EQ(streamed.out, line.text("text") + "\n");
  EXPECT_NE(streamed.error.find("accept length"), std::string::npos) << streamed.error;

  const std::string file = path("answers.jsonl");
  EXPECT_EQ(eyrie(generate({"--input", path("prompts.jsonl"), "--output", file})).out, "");
  EXPECT_EQ(json_lines(read_bytes(file))[0].dump(), line.dump());
}

TEST_F(Serving, StopsWhereItIsTold) {
  const std::string whole = answers({"--draft", draft()})[0].text("text");
  const std::string stop = whole.substr(whole.size() / 2, 3);
  const std::string expected = whole.substr(0, whole.find(stop));
  for (const Arguments& draft_or_not : {Arguments{}, Arguments{"--draft", draft()}}) {
    const Json stopped = answers(draft_or_not + Arguments{"--stop", "nowhere", "--stop", stop})[0];
    EXPECT_EQ(stopped.text("text"), expected);
    EXPECT_EQ(stopped.text("finish_reason"), "stop string");
    const auto ids = answers(draft_or_not)[0].array("ids");
    const int64_t id = ids[5].as_integer();
    const Json at_id = answers(draft_or_not + Arguments{"--stop-id", "7," + std::to_string(id)})[0];
    EXPECT_EQ(at_id.text("finish_reason"), "stop token");
    EXPECT_EQ(at_id.array("ids").back().as_integer(), id);
  }
}

TEST_F(Serving, InterruptsAndReadersThatLeave) {
  const std::string output = path("answers.jsonl");
  std::string prompts;
  for (int i = 0; i < 200; ++i) prompts += first_lines(asset("held_out.jsonl"), 5);
  write_bytes(path("many.jsonl"), prompts);
  for (const Arguments& to : {Arguments{"--output", output}, Arguments{}}) {
    Running running(Arguments{"generate", "--model", kFledgling, "--input", path("many.jsonl"), "--ignore-stop"} + to);
    ASSERT_TRUE(running.wait_until([&] { return running.error_so_far().find("chat template") != std::string::npos; }));
    running.signal(SIGINT);
    const Outcome outcome = running.wait();
    EXPECT_EQ(outcome.status, 130);
    EXPECT_EQ(outcome.last_error_line(), "eyrie: generate: interrupted");
  }
  EXPECT_FALSE(fs::exists(output));

  Running capture({"capture", "--model", kFledgling, "--input", asset("conversations.jsonl"), "--output", path("f"),
                   "--token-budget", "256"});
  ASSERT_TRUE(capture.wait_until([&] {
    const auto names = names_in(directory_.path());
    return std::any_of(names.begin(), names.end(), [](const std::string& name) { return name.starts_with("f.tmp-"); });
  }));
  capture.signal(SIGINT);
  EXPECT_EQ(unlike_failure(capture.wait(), 130, "capture: interrupted: nothing is written"), "");
  for (const std::string& name : names_in(directory_.path())) EXPECT_FALSE(name.starts_with("f")) << name;

  // `eyrie generate … | head -1`: the reader leaves, the program ends by SIGPIPE without a word.
  const std::string pipe = path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  Running piped({"generate", "--model", kFledgling, "--input", path("many.jsonl")}, {.standard_output = pipe});
  char byte = 0;
  ASSERT_TRUE(piped.wait_until([&] { return read(reader, &byte, 1) == 1; }));
  close(reader);
  const Outcome outcome = piped.wait();
  EXPECT_EQ(outcome.status, 128 + SIGPIPE);
  EXPECT_EQ(outcome.error.find("eyrie: "), std::string::npos) << outcome.error;
}

TEST_F(Serving, InspectSaysWhatFits) {
  const Outcome target = eyrie({"inspect", kFledgling});
  for (const char* fact : {"kind                 target", "family               llama", "layers               8",
                           "parameters           5771520", "default taps         1, 3, 4"})
    EXPECT_NE(target.out.find(fact), std::string::npos) << fact << "\n" << target.out;
  const Outcome alone = eyrie({"inspect", draft()});
  for (const char* fact : {"kind                 EAGLE-3 draft", "512 of the target's 2048 tokens"})
    EXPECT_NE(alone.out.find(fact), std::string::npos) << fact << "\n" << alone.out;

  const Outcome wrong = eyrie({"inspect", draft(), "--against", kOtherTarget});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.out.find("The draft does not fit the target:\n"
                           "- the draft reads taps of a target with hidden size 256, this target has 32\n"
                           "- the draft's target vocabulary has 2048 tokens, this target's has 131\n"),
            std::string::npos)
      << wrong.out;

  const Outcome probed = eyrie(
      {"inspect", draft(), "--against", kFledgling, "--prompts", path("prompts.jsonl"), "--max-new-tokens", "24"});
  EXPECT_EQ(probed.status, 0) << probed.error;
  EXPECT_NE(probed.out.find("The draft fits the target."), std::string::npos) << probed.out;
  EXPECT_NE(probed.out.find("\n1, 3, 4              off "), std::string::npos) << probed.out;
  EXPECT_NE(probed.out.find("\n0, 2, 3              off "), std::string::npos) << probed.out;
  EXPECT_NE(probed.out.find("\nno reading is clearly better than the file's own: "), std::string::npos) << probed.out;
  EXPECT_NE(probed.out.find("(3 prompts, "), std::string::npos) << probed.out;

  EXPECT_EQ(unlike_failure(eyrie({"inspect", path("absent")}), 1, path("absent")), "");
  EXPECT_EQ(unlike_failure(eyrie({"inspect", kFledgling, "--against", kFledgling}), 2, "expected a draft"), "");
}

// The text is the target's own all the same.
TEST_F(Serving, ADraftThatRunsOutOfPositionsSaysSoOnce) {
  fs::copy(draft(), path("short"));
  std::string config = read_bytes(path("short/config.json"));
  const std::string key = "\"max_position_embeddings\": 2048";
  ASSERT_NE(config.find(key), std::string::npos) << config;
  write_bytes(path("short/config.json"),
              config.replace(config.find(key), key.size(), "\"max_position_embeddings\": 64"));
  const Arguments long_answers{"generate",      "--model",          kFledgling, "--input", path("prompts.jsonl"),
                               "--ignore-stop", "--max-new-tokens", "100"};
  const Outcome plain = eyrie(long_answers), outcome = eyrie(long_answers + Arguments{"--draft", path("short")});
  EXPECT_EQ(ids_of(json_lines(outcome.out)), ids_of(json_lines(plain.out)));
  const std::string said = "the draft knows 64 positions: behind them nothing is drafted\n";
  EXPECT_NE(outcome.error.find(said), std::string::npos) << outcome.error;
  EXPECT_EQ(outcome.error.find(said), outcome.error.rfind(said)) << outcome.error;
  const Outcome whole = eyrie(long_answers + Arguments{"--draft", draft()});
  EXPECT_EQ(whole.error.find("nothing is drafted"), std::string::npos) << whole.error;
}

TEST_F(Serving, DraftsThatDoNotServe) {
  const auto with = [&](const std::string& directory) {
    return eyrie(generate({"--prompt", "Hi", "--draft", directory}));
  };
  EXPECT_EQ(unlike_failure(with(vector_file("ttt/plain/draft")), 1, "ttt/plain/draft: "), "");
  EXPECT_EQ(unlike_failure(with(kFledgling), 1, "a draft has 1, found 8"), "");
  const std::string no_run = path("run") + ": is a run, not a draft: its checkpoints are drafts, the newest " + draft();
  EXPECT_EQ(unlike_failure(with(path("run")), 1, no_run), "");
  const Arguments plan{"train", "--model", kFledgling, "--data", asset("conversations.jsonl"), "--plan"};
  for (const Arguments& arguments : {Arguments{"inspect", path("run")},
                                     {"export", "--checkpoint", path("run"), "--output", path("x")},
                                     plan + Arguments{"--init-draft", path("run")},
                                     plan + Arguments{"--draft-config", path("run")}})
    EXPECT_EQ(unlike_failure(eyrie(arguments), 1, no_run), "") << arguments[0];
  const Arguments taps = generate({"--prompt", "Hi", "--draft", draft(), "--tap-ids"});
  EXPECT_EQ(unlike_failure(eyrie(taps + Arguments{"1,2,99"}), 2,
                           "generate: --tap-ids: expected ids of the target's layers, 0 to 7, found 99"),
            "");
  EXPECT_EQ(
      unlike_failure(eyrie(taps + Arguments{"1,2"}), 2, "generate: --tap-ids: the draft reads 3 taps, found 2 ids"),
      "");
  const Outcome target = eyrie({"generate", "--model", draft(), "--prompt", "Hi"});
  EXPECT_EQ(unlike_failure(target, 1, draft()), "");

  const std::string broken = path("broken"), weights = read_bytes(draft() + "/model.safetensors");
  fs::create_directory(broken);
  fs::copy(draft() + "/config.json", broken + "/config.json");
  write_bytes(broken + "/model.safetensors", weights.substr(0, weights.size() - 10));
  EXPECT_EQ(unlike_failure(with(broken), 1, broken + "/model.safetensors: "), "");
  std::string wild = weights;  // the first offset of the draft vocabulary leads out of the vocabulary
  const size_t header = static_cast<size_t>(wild[0] & 255) | static_cast<size_t>(wild[1] & 255) << 8;
  const Json d2t = Json::parse(wild.substr(8, header), "header").at("d2t");
  wild[8 + header + static_cast<size_t>(d2t.array("data_offsets")[0].as_integer()) + 3] = 1;
  write_bytes(broken + "/model.safetensors", wild);
  EXPECT_EQ(unlike_failure(with(broken), 1, "d2t"), "");
}

TEST_F(Serving, BadPrompts) {
  const struct {
    const char *text, *message;
  } cases[] = {{"{\"question\": [3]}\n", ":2: expected a string, found [3]"},
               {"{\"quest\": \"a\"}\n", ":2: expected one of \"prompt\""},
               {"{\"input_ids\": []}\n", "holds no turn to answer"},
               {"{\"input_ids\": [2048]}\n", ":2: input_ids: expected an integer from 0 to 2047"},
               {"{\"question\": \"\xff\"}\n", ":2: malformed JSON"},
               {"{\"messages\": [{\"role\": \"robot\", \"content\": \"a\"}]}\n", ":2: message 1: role \"robot\""}};
  const Arguments run = generate({"--input", path("bad.jsonl"), "--output", path("out.jsonl")});
  write_bytes(path("bad.jsonl"), "");
  EXPECT_EQ(unlike_failure(eyrie(run), 1, "bad.jsonl: holds no prompt"), "");
  EXPECT_FALSE(fs::exists(path("out.jsonl")));
  for (const auto& one : cases) {  // the prompt before it is answered all the same
    write_bytes(path("bad.jsonl"), "{\"question\": \"a\"}\n" + std::string(one.text));
    const Outcome outcome = eyrie(run);
    EXPECT_EQ(outcome.status, 1) << one.text;
    EXPECT_NE(outcome.last_error_line().find("1 of 2 prompts could not be answered"), std::string::npos)
        << outcome.error;
    const std::vector<Json> lines = json_lines(testing::read_bytes(path("out.jsonl")));
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_FALSE(lines[0].array("ids").empty());
    EXPECT_NE(lines[1].text("error").find(one.message), std::string::npos) << lines[1].dump();
  }
  EXPECT_EQ(unlike_failure(eyrie(generate({"--prompt", std::string(9000, '7')})), 1, "expected 1..2048 tokens"), "");
}

}  // namespace
}  // namespace eyrie::e2e
