#include "data/conversations.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "data/prompts.h"

namespace eyrie {
namespace {

const std::string kModel = std::string(EYRIE_SOURCE_DIR) + "/assets/fledgling";

std::string write_lines(const std::string& name, const std::string& text) {
  const std::string path = (std::filesystem::temp_directory_path() / ("eyrie_" + name + ".jsonl")).string();
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

ConversationReader reader() {
  ConversationReader made = ConversationReader::of_model(kModel, "fledgling");
  made.vocabulary = made.tokenizer->vocabulary_size();
  return made;
}

std::string error_of(const std::string& name, const std::string& text, const ConversationReader& with) {
  const std::string path = write_lines(name, text);
  try {
    read_conversations(path, with);
  } catch (const Error& error) {
    const std::string what = error.what();
    return what.substr(what.find("eyrie_"));
  }
  return "no error";
}

TEST(Conversations, TheThreeFormsGiveTheSameTokens) {
  const std::string path =
      write_lines("forms", R"({"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yes."}]}

{"id":"b","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]}
)");
  const Conversations read = read_conversations(path, reader());
  ASSERT_EQ(read.sequences.size(), 2u);
  EXPECT_EQ(read.sequences[0].input_ids, read.sequences[1].input_ids);
  EXPECT_EQ(read.sequences[1].id, "b");

  const TokenSequence& chat = read.sequences[0];
  std::string ids, mask, supervised;
  for (size_t t = 0; t < chat.input_ids.size(); ++t) {
    ids += (t ? "," : "") + std::to_string(chat.input_ids[t]);
    mask += (t ? "," : "") + std::to_string(chat.loss_mask[t]);
    if (chat.loss_mask[t]) supervised += reader().tokenizer->token_text(chat.input_ids[t]);
  }
  EXPECT_EQ(supervised, "Yes.<|end|>");
  const std::string tokens = write_lines("tokens", "{\"input_ids\":[" + ids + "],\"loss_mask\":[" + mask + "]}");
  ConversationReader no_tokenizer;
  no_tokenizer.vocabulary = 2048;
  const Conversations again = read_conversations(tokens, no_tokenizer);
  EXPECT_EQ(again.sequences[0].input_ids, chat.input_ids);
  EXPECT_EQ(again.sequences[0].loss_mask, chat.loss_mask);
}

TEST(Conversations, LongOnesAreCutAtTheTokenAndCounted) {
  ConversationReader cutting = reader();
  cutting.max_tokens = 5;
  const Conversations read =
      read_conversations(write_lines("cut", R"({"input_ids":[1,2,3,4,5,6,7],"loss_mask":[0,0,1,1,1,1,1]}
{"input_ids":[1,2,3,4,5],"loss_mask":[0,0,1,1,1]})"),
                         cutting);
  EXPECT_EQ(read.cut, 1);
  EXPECT_EQ(read.tokens, 10);
  EXPECT_EQ(read.supervised_tokens, 6);
  EXPECT_EQ(read.sequences[0].input_ids.back(), 5);
}

TEST(Conversations, ErrorsNameTheLine) {
  const std::string good = "{\"input_ids\":[1],\"loss_mask\":[1]}\n";
  EXPECT_EQ(error_of("vocab", good + R"({"input_ids":[1,2048],"loss_mask":[1,1]})", reader()),
            "eyrie_vocab.jsonl:2: token 1: expected an id below 2048, found 2048");
  EXPECT_EQ(error_of("mask", good + good + R"({"input_ids":[1,2],"loss_mask":[1]})", reader()),
            "eyrie_mask.jsonl:3: loss_mask: expected 2 entries, found 1");
  EXPECT_EQ(error_of("empty", good + R"({"messages":[]})", reader()), "eyrie_empty.jsonl:2: the conversation is empty");
  EXPECT_NE(error_of("json", good + "{\"messages\":", reader()).find("eyrie_json.jsonl:2: malformed JSON"),
            std::string::npos);
  EXPECT_NE(
      error_of("roles", R"({"messages":[{"role":"assistant","content":"x"}]})", reader()).find("eyrie_roles.jsonl:1: "),
      std::string::npos);
  EXPECT_NE(error_of("form", "[1]", reader()).find("eyrie_form.jsonl:1: expected an object"), std::string::npos);
  EXPECT_EQ(error_of("none", "\n\n", reader()), "eyrie_none.jsonl: holds no conversation");
  EXPECT_NE(error_of("text", R"({"messages":[{"role":"user","content":7}]})", reader()).find("content"),
            std::string::npos);
}

TEST(Prompts, EveryFormGivesThePromptOfTheTurnToWrite) {
  const ConversationReader with = reader();
  const std::string path = write_lines("prompts", R"({"question":"Hi","answer":"#### 3"}
{"prompt":"Hi","id":7}
{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]}
{"conversations":[{"from":"human","value":"Hi"}]}
)");
  const auto prompts = read_prompts(path, with);
  ASSERT_EQ(prompts.size(), 4u);
  for (const Prompt& prompt : prompts) EXPECT_EQ(prompt.ids, make_prompt(with, "Hi").ids);
  EXPECT_EQ(with.tokenizer->decode(prompts[0].ids, false), "<|bos|><|user|>\nHi<|end|>\n<|assistant|>\n");
  EXPECT_EQ(prompts[0].answer, "#### 3");
  EXPECT_EQ(prompts[1].id, "7");
  const auto cut =
      read_prompts(write_lines("cut_prompt", R"({"input_ids":[1,7,8,9,4],"loss_mask":[0,1,0,1,0]})"), with);
  EXPECT_EQ(cut[0].ids, (std::vector<int32_t>{1, 7, 8}));
  EXPECT_THROW(read_prompts(write_lines("vocabulary", R"({"input_ids":[1,2048]})"), with), Error);
  EXPECT_THROW(read_prompts(write_lines("no_turn", R"({"messages":[{"role":"assistant","content":"x"}]})"), with),
               Error);
}

// Seeded mutations: a line is read or refused with an Error, nothing else happens.
TEST(Conversations, MutatedLinesNeverCrash) {
  const ConversationReader with = reader();
  const std::string seed_line =
      R"({"id":"x","conversations":[{"from":"human","value":"Hi é"},{"from":"gpt","value":"Yes."}]})";
  RandomStream stream("mutated conversations");
  int refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string line = seed_line;
    for (uint64_t edit = 0, edits = 1 + stream.below(3); edit < edits; ++edit) {
      const size_t at = stream.below(line.size());
      if (stream.below(3) == 0)
        line.erase(at, 1 + stream.below(8));
      else
        line[at] = static_cast<char>(stream.below(256));
    }
    try {
      read_conversations(write_lines("mutated", line), with);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace eyrie
