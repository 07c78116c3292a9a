// Every file in tests/data/chat against transformers' apply_chat_template.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "io/json.h"

namespace eyrie {
namespace {

std::string data_path(const std::string& path) { return std::string(EYRIE_SOURCE_DIR) + "/tests/data/" + path; }

// The tokenizer of each file, as tests/data/README.md says.
const std::map<std::string, std::string> kTokenizers = {
    {"llama3", "llama3"},  {"qwen", "qwen2"},           {"qwen3", "qwen2"},     {"qwen3-no-thinking", "qwen2"},
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

class ChatVectors : public testing::TestWithParam<std::string> {};

TEST(ChatVectors, AreThereForEveryTemplateButTheTwoPlainOnes) {
  EXPECT_EQ(template_files().size() + 2, chat_templates().size());
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

INSTANTIATE_TEST_SUITE_P(Text, ChatVectors, testing::ValuesIn(template_files()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace eyrie
