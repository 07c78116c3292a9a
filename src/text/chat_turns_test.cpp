// Turns of all shapes against an independent reading of spec §11 (tests/data/README.md, "turns"): what each is given,
// what it writes and where its span ends, which sequence it goes on in.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "io/atomic_dir.h"
#include "testing/temporary_directory.h"
#include "testing/test_names.h"
#include "text/chat_tokenizer.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

const fs::path kData = EYRIE_SOURCE_DIR "/tests/data";
const fs::path kTurns = kData / "chat_templates" / "turns";

std::vector<std::string> shapes() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kTurns)) names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Json> rows_of(const std::string& name) {
  std::vector<Json> rows;
  std::ifstream file(kTurns / (name + ".jsonl"));
  for (std::string line; std::getline(file, line);) rows.push_back(Json::parse(line, name));
  return rows;
}

// What templates write as one token: <|…|> and its kin, and the stop tokens that the vectors name.
std::vector<std::string> added_tokens(const std::vector<Json>& rows) {
  std::vector<std::string> tokens = {"<think>", "</think>", "<s>", "</s>", "[INST]", "[/INST]", "[gMASK]", "<sop>"};
  for (const Json& row : rows) {
    for (const Json& stop : row.array("stop_tokens")) tokens.push_back(stop.as_text());
    for (const Json& turn : row.array("turns")) {
      const std::string text = turn.find("context") ? turn.text("context") + turn.text("span") : "";
      for (const auto& [begin, end] : {std::pair("<|", "|>"), std::pair("<｜", "｜>"), std::pair("<start_of_turn", ">"),
                                       std::pair("<end_of_turn", ">")})
        for (size_t at = 0; (at = text.find(begin, at)) != text.npos; ++at)
          if (const size_t close = text.find(end, at); close != text.npos)
            tokens.push_back(text.substr(at, close + std::string(end).size() - at));
    }
  }
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

// The qwen2 vectors' tokenizer with those added tokens.
Tokenizer tokenizer_with(const std::vector<std::string>& tokens) {
  Json json = Json::parse_file((kData / "tokenizer/qwen2/tokenizer.json").string());
  Json::Array added = json.array("added_tokens");
  int64_t id = added.back().integer("id");
  for (const std::string& token : tokens) {
    if (std::any_of(added.begin(), added.end(), [&](const Json& one) { return one.text("content") == token; }))
      continue;
    Json one = added[0];
    added.push_back(one.set("content", token).set("id", ++id));
  }
  return Tokenizer::from_text(json.set("added_tokens", std::move(added)).dump(), "qwen2 with added tokens");
}

class ChatTurns : public ::testing::TestWithParam<std::string> {
 protected:
  ChatTurns() : rows_(rows_of(GetParam())), tokenizer_(tokenizer_with(added_tokens(rows_))) {}

  // The template with a row's special tokens; what else the row's variables say is the conversation's.
  ChatTokenizer chat_of(const Json& row, Conversation& conversation) const {
    const fs::path shape = kData / "chat_templates" / (GetParam() + ".jinja");
    testing::TemporaryDirectory directory;
    Json special = Json::object({}), arguments = Json::object({});
    for (const auto& [key, value] : row.at("variables").as_members())
      (key.ends_with("_token") && !value.is_null() ? special : arguments).set(key, value);
    testing::write_bytes(directory.file("tokenizer_config.json"), special.dump());
    conversation.arguments = arguments;
    std::vector<int32_t> stop_ids;
    for (const Json& stop : row.array("stop_tokens")) stop_ids.push_back(*tokenizer_.token_id(stop.as_text()));
    const std::string name = fs::exists(shape) ? shape.string() : GetParam();
    return {tokenizer_,
            *ChatTemplate::of_model(directory.path(), {.chat_template = name, .template_date = "2026-11-30 12:00:00"}),
            stop_ids};
  }
  std::string decode(const std::vector<int32_t>& ids, size_t begin, size_t end) const {
    return tokenizer_.decode(std::span(ids).subspan(begin, end - begin), false);
  }

  std::vector<Json> rows_;
  Tokenizer tokenizer_;
};

TEST_P(ChatTurns, AreAsReadApart) {
  int compared = 0;
  for (const Json& row : rows_) {
    Conversation conversation = *read_conversation(row);
    const ChatTokenizer chat = chat_of(row, conversation);
    for (const Json& expected : row.array("turns")) {
      const auto index = static_cast<size_t>(expected.integer("index"));
      EXPECT_EQ(is_answer(conversation, index), expected.text("rule") != "context");
      if (!is_answer(conversation, index)) continue;
      const ChatTurn turn = TurnWriter(chat.chat_template(), conversation, index).write();
      EXPECT_EQ(std::string(1, "abc"[static_cast<size_t>(turn.rule)]), expected.text("rule")) << row.dump();
      EXPECT_EQ(turn.context, expected.text("context")) << row.dump();
      ++compared;
    }
  }
  EXPECT_GE(compared, 5);
}

// The supervised text of a turn: all of its span, or what generation blocks choose of it.
std::string supervised_text(const Json& turn) {
  const std::string& span = turn.text("span");
  if (!turn.find("supervised")) return span;
  std::string text;
  for (const Json& range : turn.array("supervised")) {
    const int64_t begin = range.as_array()[0].as_integer(), end = range.as_array()[1].as_integer();
    text += span.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }
  return text;
}

struct SupervisedRun {
  size_t sequence;
  std::string before, text;  // text: without its last token
  std::string last;
};

// Which sequence a turn goes on in, behind which text, and what it says up to its stop token. Of an earlier turn's stop
// token only the place counts: what the conversation goes on with stands there.
TEST_P(ChatTurns, SpansAndSequencesAreAsReadApart) {
  for (const Json& row : rows_) {
    Conversation conversation = *read_conversation(row);
    ChatCounts counts;
    const std::vector<ChatSequence> sequences = chat_of(row, conversation).encode(conversation, counts);
    std::vector<SupervisedRun> runs;
    std::string found, expected;
    for (size_t s = 0; s < sequences.size(); ++s) {
      const auto& [ids, mask] = sequences[s];
      for (size_t begin = 0, end; begin < ids.size(); begin = end) {
        for (end = begin + 1; mask[begin] && end < ids.size() && mask[end];) ++end;
        if (!mask[begin]) continue;
        runs.push_back({s, decode(ids, 0, begin), decode(ids, begin, end - 1), decode(ids, end - 1, end)});
        found += runs.back().text + runs.back().last;
      }
    }
    bool in_parts = false;
    size_t run = 0, sequence = SIZE_MAX;
    for (const Json& turn : row.array("turns")) {
      if (turn.text("rule") == "context") continue;
      sequence += !turn.boolean("shares");
      expected += supervised_text(turn);
      in_parts = in_parts || turn.find("supervised");
      if (in_parts) continue;
      ASSERT_LT(run, runs.size()) << row.dump();
      if (turn.text("rule") == "c") sequence = runs[run].sequence;  // what W shares may end inside a token
      EXPECT_EQ(runs[run].sequence, sequence) << row.dump();
      EXPECT_EQ(runs[run].before, turn.text("context")) << row.dump();
      EXPECT_TRUE(turn.text("span").starts_with(runs[run].text)) << runs[run].text << "\n" << row.dump();
      // Tokens that contexts share are kept from turn to turn: they are those of the whole text.
      const std::vector<int32_t> whole = tokenizer_.encode_with_offsets(turn.text("context")).ids;
      const std::vector<int32_t>& found_ids = sequences[runs[run].sequence].ids;
      EXPECT_TRUE(std::equal(whole.begin(), whole.end(), found_ids.begin())) << row.dump();
      const bool goes_on = run + 1 < runs.size() && runs[run + 1].sequence == sequence;
      EXPECT_TRUE(goes_on || runs[run].text + runs[run].last == turn.text("span")) << row.dump();
      ++run;
    }
    EXPECT_TRUE(in_parts ? found == expected : run == runs.size()) << found << "\n" << row.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(Text, ChatTurns, ::testing::ValuesIn(shapes()), testing::word_name);

}  // namespace
}  // namespace eyrie
