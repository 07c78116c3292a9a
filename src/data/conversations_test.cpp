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
  ConversationReader made = ConversationReader::of_model(kModel, {.chat_template = "fledgling"});
  made.vocabulary = made.tokenizer->vocabulary_size();
  return made;
}

std::string error_of(std::string_view text, const ConversationReader& with) {
  const Lines lines(text);
  try {
    read_conversations(lines.path, with);
  } catch (const Error& error) {
    const std::string what = error.what();
    return what.substr(what.rfind("lines.jsonl"));
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
  const std::string good = "{\"input_ids\":[1,2,3],\"loss_mask\":[0,1,1]}\n", share = " (50 %, --bad-lines allows 1 %)";
  EXPECT_EQ(error_of(good + R"({"input_ids":[1,2048],"loss_mask":[1,1]})", reader()),
            "lines.jsonl:2: token 1: expected an id below 2048, found 2048" + share);
  EXPECT_EQ(error_of(good + R"({"input_ids":[1,2],"loss_mask":[1]})", reader()),
            "lines.jsonl:2: loss_mask: expected 2 entries, found 1" + share);
  EXPECT_EQ(error_of(good + R"({"input_ids":[1,2],"loss_mask":[0,2]})", reader()),
            "lines.jsonl:2: loss_mask: expected 0 or 1, found 2" + share);
  EXPECT_EQ(error_of(good + R"({"messages":[]})", reader()), "lines.jsonl:2: the conversation is empty" + share);
  EXPECT_EQ(error_of(good + "{\"messages\":", reader()).find("lines.jsonl:2: malformed JSON"), 0u);
  EXPECT_EQ(error_of(good + "[1]", reader()).find("lines.jsonl:2: expected an object"), 0u);
  EXPECT_EQ(error_of(good + R"({"messages":[{"role":"user","content":7}]})", reader()),
            "lines.jsonl:2: message 1: content: expected text, found 7" + share);
  EXPECT_EQ(error_of("\n\n", reader()), "lines.jsonl: holds no conversation");
}

// One line in four does not fit: it is passed over where the share allows it, and the file is refused where not.
TEST(Conversations, UnfitLinesArePassedOverUpToAShare) {
  const std::string good = R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]})"
                           "\n";
  const Lines lines(good +
                    R"({"conversations":[{"from":"human","value":"\ud83d"}]})"
                    "\n\n" +
                    good + good);
  ConversationReader with = reader();
  with.bad_lines = 0.25;
  const Conversations read = read_conversations(lines.path, with);
  EXPECT_EQ(read.sequences.size(), 3u);
  EXPECT_EQ(read.lines.lines, 4);
  EXPECT_EQ(read.lines.unfit, 1);
  EXPECT_EQ(read.lines.first[0].find(lines.path + ":2: "), 0u);
  with.bad_lines = 0.24;
  EXPECT_THROW(read_conversations(lines.path, with), Error);
  EXPECT_EQ(survey_conversations(lines.path, with).lines.unfit, 1);
}

TEST(Conversations, WhatSupervisesNothingIsLeftOutAndCounted) {
  ConversationReader cutting = reader();
  cutting.max_tokens = 4;
  const Conversations read = read_conversations(Lines(R"({"input_ids":[1,2,3,4,5,6],"loss_mask":[0,0,0,0,1,1]}
{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":""}]}
{"messages":[{"role":"system","content":"x"},{"role":"assistant","content":"y"}]}
{"input_ids":[1,2,3],"loss_mask":[false,true,1.0]}
{"input_ids":[1,2,3],"loss_mask":[0,0,0]})")
                                                    .path,
                                                cutting);
  EXPECT_EQ(read.lines.unfit, 0);
  EXPECT_EQ(read.unsupervised, 3);
  EXPECT_EQ(read.cut, 2);
  ASSERT_EQ(read.sequences.size(), 2u);  // tokens are taken as they are
  EXPECT_EQ(read.sequences[0].loss_mask, (std::vector<uint8_t>{0, 1, 1}));
}

// What people have beside JSONL is named, with the line that converts it.
TEST(Conversations, OtherFormsAreNamed) {
  const std::pair<std::string_view, const char*> forms[] = {{"[\n {\"messages\": []}]", "a JSON array"},
                                                            {"\x1f\x8b\x08rest", "gzip"},
                                                            {"\x28\xb5\x2f\xfdrest", "zstd"},
                                                            {"PAR1rest", "Parquet"}};
  const char* conversions[] = {"jq -c '.[]' ", "zcat ", "zstd -dc ", "lines=True)\" "};
  for (size_t i = 0; i < 4; ++i) {
    const Lines lines(forms[i].first);
    try {
      read_conversations(lines.path, reader());
      ADD_FAILURE() << forms[i].second;
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find(std::string("is ") + forms[i].second + ", expected JSONL"), what.npos) << what;
      EXPECT_NE(what.find(conversions[i] + lines.path), what.npos) << what;
      EXPECT_NE(what.find(lines.path + ".jsonl"), what.npos) << what;
    }
  }
}

TEST(Conversations, AModelWithoutTemplateSaysHowToNameOne) {
  testing::TemporaryDirectory model;
  std::filesystem::copy_file(kModel + "/tokenizer.json", model.file("tokenizer.json"));
  ConversationReader with = ConversationReader::of_model(model.path(), {});
  with.bad_lines = 1;
  const std::string chat = R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]})";
  try {
    read_conversations(Lines(chat).path, with);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(model.path() + ": carries no chat template"), std::string::npos);
  }
  EXPECT_EQ(read_conversations(Lines(R"({"input_ids":[1,2,3],"loss_mask":[0,1,1]})").path, with).sequences.size(), 1u);
}

TEST(Prompts, EveryFormGivesThePromptOfTheTurnToWrite) {
  const ConversationReader with = reader();
  const Lines lines(R"({"question":"Hi","answer":"#### 3"}
{"prompt":"Hi","id":7}
{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]}
{"conversations":[{"from":"human","value":"Hi"}]}
{"prompt":[{"role":"user","content":"Hi"}]}
{"question_id":81,"turns":["Hi","And more?"]}
{"question":"Hi","answer":42}
)");
  ::testing::internal::CaptureStderr();
  const auto prompts = read_prompts(lines.path, with);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            lines.path + ": 1 of 7 prompts have a second turn; only the first is asked\n");
  ASSERT_EQ(prompts.size(), 7u);
  for (const Prompt& prompt : prompts) {
    EXPECT_EQ(prompt.ids, make_prompt(with, "Hi").ids);
    EXPECT_EQ(prompt.question, "Hi");
  }
  EXPECT_EQ(with.tokenizer->decode(prompts[0].ids, false), "<|bos|><|user|>\nHi<|end|>\n<|assistant|>\n");
  EXPECT_EQ(prompts[0].answer, "#### 3");
  EXPECT_EQ(prompts[6].answer, "42");
  EXPECT_EQ(prompts[1].id, "7");
  EXPECT_EQ(prompts[5].id, "81");
  const auto cut = read_prompts(Lines(R"({"input_ids":[1,7,8,9,4],"loss_mask":[0,1,0,1,0]})").path, with);
  EXPECT_EQ(cut[0].ids, (std::vector<int32_t>{1, 7, 8}));
}

// A line that cannot be read is unfit; one without an answer to write is only left out. All are there, each in its
// place.
TEST(Prompts, LinesThatAreNoPromptHaveTheirError) {
  ConversationReader with = reader();
  const Lines lines(R"({"prompt":"Hi"}
{"input_ids":[1,2048],"id":"far"}
{"input_ids":[1,2,3],"loss_mask":[0,0,0]}
{"messages":[{"role":"assistant","content":"x"}]}
{"text":"x"}
)");
  const auto all = read_all_prompts(lines.path, with);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].error, "");
  EXPECT_EQ(all[1].id, "far");
  EXPECT_EQ(all[1].error.find(lines.path + ":2: "), 0u);
  EXPECT_EQ(all[2].error, lines.path + ":3: holds no turn to answer");
  EXPECT_EQ(all[3].error, lines.path + ":4: holds no turn to answer");
  EXPECT_NE(all[4].error.find(":5: expected one of \"prompt\", \"question\""), std::string::npos);
  EXPECT_THROW(read_prompts(lines.path, with), Error);
  with.bad_lines = 0.4;
  EXPECT_EQ(read_prompts(lines.path, with).size(), 1u);
}

// Seeded mutations: a line is read or refused with an Error, nothing else happens.
TEST(Conversations, MutatedLinesNeverCrash) {
  ConversationReader with = reader();
  with.bad_lines = 0;
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
