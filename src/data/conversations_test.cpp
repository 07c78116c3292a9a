#include "data/conversations.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "data/prompts.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

const std::string kModel = std::string(EYRIE_SOURCE_DIR) + "/assets/fledgling";

// A file `lines.jsonl`, gone with the value.
struct Lines {
  explicit Lines(std::string_view text) { testing::write_bytes(path, text); }
  testing::TemporaryDirectory directory;
  std::string path = directory.file("lines.jsonl");
};

ConversationReader reader() {
  ConversationReader made = ConversationReader::of_model(kModel, "fledgling");
  made.vocabulary = made.tokenizer->vocabulary_size();
  return made;
}

std::string error_of(std::string_view text, const ConversationReader& with) {
  const Lines lines(text);
  try {
    read_conversations(lines.path, with);
  } catch (const Error& error) {
    const std::string what = error.what();
    return what.substr(what.find("lines.jsonl"));
  }
  return "no error";
}

TEST(Conversations, TheThreeFormsGiveTheSameTokens) {
  const Lines lines(R"({"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yes."}]}

{"id":"b","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]}
)");
  const Conversations read = read_conversations(lines.path, reader());
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
  const Lines tokens("{\"input_ids\":[" + ids + "],\"loss_mask\":[" + mask + "]}");
  ConversationReader no_tokenizer;
  no_tokenizer.vocabulary = 2048;
  const Conversations again = read_conversations(tokens.path, no_tokenizer);
  EXPECT_EQ(again.sequences[0].input_ids, chat.input_ids);
  EXPECT_EQ(again.sequences[0].loss_mask, chat.loss_mask);
}

TEST(Conversations, LongOnesAreCutAtTheTokenAndCounted) {
  ConversationReader cutting = reader();
  cutting.max_tokens = 5;
  const Conversations read = read_conversations(Lines(R"({"input_ids":[1,2,3,4,5,6,7],"loss_mask":[0,0,1,1,1,1,1]}
{"input_ids":[1,2,3,4,5],"loss_mask":[0,0,1,1,1]})")
                                                    .path,
                                                cutting);
  EXPECT_EQ(read.cut, 1);
  EXPECT_EQ(read.tokens, 10);
  EXPECT_EQ(read.supervised_tokens, 6);
  EXPECT_EQ(read.sequences[0].input_ids.back(), 5);
}

TEST(Conversations, ErrorsNameTheLine) {
  const std::string good = "{\"input_ids\":[1],\"loss_mask\":[1]}\n";
  EXPECT_EQ(error_of(good + R"({"input_ids":[1,2048],"loss_mask":[1,1]})", reader()),
            "lines.jsonl:2: token 1: expected an id below 2048, found 2048");
  EXPECT_EQ(error_of(good + good + R"({"input_ids":[1,2],"loss_mask":[1]})", reader()),
            "lines.jsonl:3: loss_mask: expected 2 entries, found 1");
  EXPECT_EQ(error_of(good + R"({"messages":[]})", reader()), "lines.jsonl:2: the conversation is empty");
  EXPECT_NE(error_of(good + "{\"messages\":", reader()).find("lines.jsonl:2: malformed JSON"), std::string::npos);
  EXPECT_NE(error_of(R"({"messages":[{"role":"assistant","content":"x"}]})", reader()).find("lines.jsonl:1: "),
            std::string::npos);
  EXPECT_NE(error_of("[1]", reader()).find("lines.jsonl:1: expected an object"), std::string::npos);
  EXPECT_EQ(error_of("\n\n", reader()), "lines.jsonl: holds no conversation");
  EXPECT_NE(error_of(R"({"messages":[{"role":"user","content":7}]})", reader()).find("content"), std::string::npos);
}

TEST(Prompts, EveryFormGivesThePromptOfTheTurnToWrite) {
  const ConversationReader with = reader();
  const Lines lines(R"({"question":"Hi","answer":"#### 3"}
{"prompt":"Hi","id":7}
{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]}
{"conversations":[{"from":"human","value":"Hi"}]}
)");
  const auto prompts = read_prompts(lines.path, with);
  ASSERT_EQ(prompts.size(), 4u);
  for (const Prompt& prompt : prompts) EXPECT_EQ(prompt.ids, make_prompt(with, "Hi").ids);
  EXPECT_EQ(with.tokenizer->decode(prompts[0].ids, false), "<|bos|><|user|>\nHi<|end|>\n<|assistant|>\n");
  EXPECT_EQ(prompts[0].answer, "#### 3");
  EXPECT_EQ(prompts[1].id, "7");
  const auto cut = read_prompts(Lines(R"({"input_ids":[1,7,8,9,4],"loss_mask":[0,1,0,1,0]})").path, with);
  EXPECT_EQ(cut[0].ids, (std::vector<int32_t>{1, 7, 8}));
  EXPECT_THROW(read_prompts(Lines(R"({"input_ids":[1,2048]})").path, with), Error);
  EXPECT_THROW(read_prompts(Lines(R"({"messages":[{"role":"assistant","content":"x"}]})").path, with), Error);
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
      read_conversations(Lines(line).path, with);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace eyrie
