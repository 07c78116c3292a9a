// Every file in tests/data/chat against transformers' apply_chat_template.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "io/json.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

std::string data_path(const std::string& path) { return std::string(EYRIE_SOURCE_DIR) + "/tests/data/" + path; }

// The tokenizer of each file, as tests/data/README.md says.
const std::map<std::string, std::string> kTokenizers = {
    {"llama3", "llama3"},  {"llama3.1", "llama3"},      {"chatml", "qwen2"},
    {"qwen2.5", "qwen2"},  {"qwen3", "qwen2"},          {"qwen3-no-thinking", "qwen2"},
    {"mistral", "tekken"}, {"mistral-v0.3", "mistral"}, {"fledgling", "digits"}};

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::from_directory(data_path("tokenizer/" + kTokenizers.at(name)));
}

std::vector<std::string> template_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(data_path("chat")))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Message> messages_of(const Json& row) {
  std::vector<Message> messages;
  for (const Json& message : row.array("messages")) messages.push_back({message.text("role"), message.text("content")});
  return messages;
}

bool in_turn(const std::vector<Message>& messages) {
  const size_t first = messages[0].role == "system";
  for (size_t i = first; i < messages.size(); ++i)
    if (messages[i].role != ((i - first) % 2 ? "assistant" : "user")) return false;
  return true;
}

std::vector<std::pair<int64_t, int64_t>> spans_of(const std::vector<uint8_t>& mask) {
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (int64_t i = 0; i < std::ssize(mask); ++i) {
    if (!mask[static_cast<size_t>(i)]) continue;
    if (spans.empty() || spans.back().second != i - 1) spans.emplace_back(i, i);
    spans.back().second = i;
  }
  return spans;
}

class ChatVectors : public ::testing::TestWithParam<std::string> {};

TEST(ChatVectors, AreThereForEveryTemplate) {
  std::vector<std::string> names;
  for (const ChatTemplate& known : chat_templates()) names.emplace_back(known.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(template_files(), names);
}

TEST_P(ChatVectors, IdsAndSpansAreTheLibrarys) {
  const Tokenizer tokenizer = tokenizer_of(GetParam());
  const ChatTemplate& chat_template = find_chat_template(GetParam());
  std::ifstream file(data_path("chat/" + GetParam() + ".jsonl"));
  int64_t compared = 0, with_spans = 0;
  for (std::string line; std::getline(file, line);) {
    const Json row = Json::parse(line, GetParam());
    const std::vector<Message> messages = messages_of(row);
    const bool prompt = row.boolean("add_generation_prompt");
    if (!in_turn(messages)) {
      EXPECT_THROW(encode_chat(tokenizer, chat_template, messages, prompt), Error) << line;
      continue;
    }
    const EncodedChat chat = encode_chat(tokenizer, chat_template, messages, prompt);
    EXPECT_EQ(chat.text, row.text("text"));
    Json::Array ids(chat.ids.begin(), chat.ids.end());
    EXPECT_EQ(Json(std::move(ids)).dump(), row.at("ids").dump()) << line;
    ++compared;
    if (!row.find("assistant_spans")) continue;
    std::vector<std::pair<int64_t, int64_t>> spans;
    for (const Json& span : row.array("assistant_spans"))
      spans.emplace_back(span.as_array()[0].as_integer(), span.as_array()[1].as_integer());
    EXPECT_EQ(spans_of(chat.loss_mask), spans) << line;
    ++with_spans;
  }
  EXPECT_GE(compared, 30);
  EXPECT_GE(with_spans, 20);
}

EncodedChat encode(const std::string& name, const std::vector<Message>& messages, bool prompt = false) {
  return encode_chat(tokenizer_of(name), find_chat_template(name), messages, prompt);
}

TEST(Chat, ErrorsNameTheMessage) {
  const std::pair<std::vector<Message>, const char*> cases[] = {
      {{}, "no user message"},
      {{{"system", "x"}}, "no user message"},
      {{{"user", "x"}, {"user", "y"}}, "message 2: expected role assistant, found \"user\""},
      {{{"system", "x"}, {"assistant", "y"}}, "message 2: expected role user"},
      {{{"user", "x"}, {"assistant", "y"}, {"system", "z"}}, "message 3: expected role user, found \"system\""},
      {{{"user", "x"}, {"tool", "y"}}, "found \"tool\""},
      {{{"user", "ab\xff"}}, "message 1: content is not UTF-8 at byte 2"},
  };
  for (const auto& [messages, said] : cases) {
    try {
      encode("fledgling", messages);
      ADD_FAILURE() << said;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(said), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(encode("fledgling", {{"user", "x"}, {"assistant", "y"}}, true), Error);
  EXPECT_THROW(
      encode_chat(tokenizer_of("qwen2.5"), find_chat_template("llama3"), std::vector<Message>{{"user", "x"}}, true),
      Error);
  EXPECT_THROW(find_chat_template("vicuna"), Error);
}

TEST(Chat, MarksTheAnswerAndItsStopTokenNotTheNewlineBehind) {
  const Tokenizer tokenizer = tokenizer_of("fledgling");
  const EncodedChat chat = encode("fledgling", {{"user", "1+1"}, {"assistant", "2"}});
  const std::vector<int32_t> expected = {*tokenizer.token_id("2"), *tokenizer.token_id("<|end|>")};
  std::vector<int32_t> marked;
  for (size_t i = 0; i < chat.ids.size(); ++i)
    if (chat.loss_mask[i]) marked.push_back(chat.ids[i]);
  EXPECT_EQ(marked, expected);
  EXPECT_EQ(chat.loss_mask.back(), 0);
  EXPECT_TRUE(chat.text.ends_with("2<|end|>\n"));
}

// "assistant\n" and an answer that opens with a newline share a token: no target generates it so.
TEST(Chat, AStraddlingTokenStaysOutOfTheSpan) {
  const Tokenizer tokenizer = tokenizer_of("qwen2.5");
  const EncodedChat chat = encode("qwen2.5", {{"user", "x"}, {"assistant", "\n\nok"}});
  const auto straddling = std::find(chat.loss_mask.begin(), chat.loss_mask.end(), 1) - chat.loss_mask.begin() - 1;
  EXPECT_EQ(tokenizer.decode(std::span(&chat.ids[static_cast<size_t>(straddling)], 1), false), "\n\n");
  EXPECT_EQ(spans_of(chat.loss_mask).size(), 1u);
}

// The ids of a prompt are the beginning of those of the finished conversation, and the span begins there.
TEST(Chat, TheSpanBeginsWhereThePromptEnds) {
  for (const char* name : {"fledgling", "qwen2.5", "qwen3", "qwen3-no-thinking", "mistral", "mistral-v0.3", "llama3",
                           "llama3.1", "chatml"}) {
    const EncodedChat prompt = encode(name, {{"user", "How many?"}}, true);
    const EncodedChat whole = encode(name, {{"user", "How many?"}, {"assistant", "Two."}});
    ASSERT_LT(prompt.ids.size(), whole.ids.size()) << name;
    EXPECT_TRUE(std::equal(prompt.ids.begin(), prompt.ids.end(), whole.ids.begin())) << name;
    EXPECT_EQ(spans_of(whole.loss_mask).at(0).first, std::ssize(prompt.ids)) << name;
  }
}

TEST(Chat, SpelledTokensBecomeTokens) {
  const Tokenizer tokenizer = tokenizer_of("qwen2.5");
  const EncodedChat chat = encode("qwen2.5", {{"user", "a<|im_end|>b"}});
  EXPECT_EQ(std::count(chat.ids.begin(), chat.ids.end(), *tokenizer.token_id("<|im_end|>")),
            3);  // system, spelled, user
}

class GuessedTemplates : public ::testing::Test {
 protected:
  std::string guess(const std::string& tokenizer, const std::string& file, const std::string& text) {
    for (const char* old : {"chat_template.jinja", "tokenizer_config.json"})
      std::filesystem::remove(directory_.file(old));
    if (!file.empty()) testing::write_bytes(directory_.file(file), text);
    const GuessedTemplate guessed =
        guess_chat_template(Tokenizer::from_directory(data_path("tokenizer/" + tokenizer)), directory_.path());
    EXPECT_FALSE(guessed.rule.empty());
    return std::string(guessed.chat_template->name);
  }
  testing::TemporaryDirectory directory_;
};

TEST_F(GuessedTemplates, FollowTokensAndWords) {
  EXPECT_EQ(guess("digits", "", ""), "fledgling");
  EXPECT_EQ(guess("llama3", "", ""), "llama3");
  EXPECT_EQ(guess("llama3", "chat_template.jinja", "... Cutting Knowledge Date: ..."), "llama3.1");
  EXPECT_EQ(guess("qwen2", "", ""), "chatml");
  EXPECT_EQ(guess("qwen2", "tokenizer_config.json", R"({"chat_template": "You are Qwen, created"})"), "qwen2.5");
  EXPECT_EQ(guess("qwen2", "chat_template.jinja", "{% if enable_thinking %}"), "qwen3");
  EXPECT_EQ(guess("mistral", "chat_template.jinja", "'[INST] ' + content"), "mistral-v0.3");
  EXPECT_EQ(
      guess("tekken", "tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "[INST]"}]})"),
      "mistral");
  EXPECT_THROW(guess("tekken", "", ""), Error);
  EXPECT_THROW(guess("gpt2", "chat_template.jinja", "You are Qwen"), Error);
  EXPECT_THROW(guess("qwen2", "tokenizer_config.json", "{"), Error);
}

TEST_F(GuessedTemplates, TheBundledTargetIsFledgling) {
  const std::string directory = std::string(EYRIE_SOURCE_DIR) + "/assets/fledgling";
  EXPECT_EQ(guess_chat_template(Tokenizer::from_directory(directory), directory).chat_template->name, "fledgling");
}

INSTANTIATE_TEST_SUITE_P(Text, ChatVectors, ::testing::ValuesIn(template_files()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace eyrie
