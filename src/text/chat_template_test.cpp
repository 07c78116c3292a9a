// Built-in templates against transformers' apply_chat_template with the official ones (tests/data/chat), and which
// template a model directory asks for.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/error.h"
#include "testing/temporary_directory.h"
#include "testing/test_names.h"
#include "text/chat_tokenizer.h"

namespace eyrie {
namespace {

std::string data_path(const std::string& path) { return std::string(EYRIE_SOURCE_DIR) + "/tests/data/" + path; }

// The tokenizer of each file, as tests/data/README.md says.
const std::map<std::string, std::string> kTokenizers = {
    {"llama3", "llama3"},  {"llama3.1", "llama3"},      {"chatml", "qwen2"},
    {"qwen2.5", "qwen2"},  {"qwen3", "qwen2"},          {"qwen3-no-thinking", "qwen2"},
    {"mistral", "tekken"}, {"mistral-v0.3", "mistral"}, {"fledgling", "digits"}};

ChatTemplate built_in(const std::string& name) {
  return *ChatTemplate::of_model(data_path("tokenizer/" + kTokenizers.at(name)),
                                 {.chat_template = name, .template_args = {"date_string=26 Jul 2024"}});
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const BuiltInTemplate& one : built_in_templates()) found.emplace_back(one.name);
  return found;
}

std::vector<Json> rows_of(const std::string& name) {
  std::ifstream file(data_path("chat/" + name + ".jsonl"));
  std::vector<Json> rows;
  for (std::string line; std::getline(file, line);) rows.push_back(Json::parse(line, name));
  return rows;
}

class BuiltInTemplates : public ::testing::TestWithParam<std::string> {};

TEST_P(BuiltInTemplates, WriteTheTextOfTheOfficialOnes) {
  const ChatTemplate ours = built_in(GetParam());
  int compared = 0, refused = 0;
  for (const Json& row : rows_of(GetParam())) {
    const Conversation conversation = *read_conversation(row);
    const auto render = [&] {
      return ours.render(conversation, conversation.messages, row.boolean("add_generation_prompt"), std::nullopt).text;
    };
    if (row.find("error")) {
      EXPECT_THROW(render(), Error) << row.dump();
      ++refused;
      continue;
    }
    EXPECT_EQ(render(), row.text("text")) << row.dump();
    ++compared;
  }
  EXPECT_GE(compared, 30);
  EXPECT_EQ(refused > 0, GetParam().starts_with("mistral"));
}

// Each turn is supervised once, from its first token to its stop token. (qwen3: the official rendering of a whole
// conversation is not what each of its turns was given; tests/data/chat_templates/turns has them.)
TEST_P(BuiltInTemplates, SuperviseTheTurnsOfTheOfficialOnes) {
  if (GetParam().starts_with("qwen3")) return;
  const std::string directory = data_path("tokenizer/" + kTokenizers.at(GetParam()));
  const ChatTokenizer chat(Tokenizer::from_directory(directory), built_in(GetParam()), {});
  int compared = 0;
  for (const Json& row : rows_of(GetParam())) {
    const Conversation conversation = *read_conversation(row);
    const bool padded =
        std::any_of(conversation.messages.begin(), conversation.messages.end(), [](const Json& message) {
          const std::string_view content = content_of(message);
          return content.empty() ||
                 std::isspace(static_cast<uint8_t>(content[0]));  // may share a token with the header
        });
    if (padded || !row.find("assistant_spans")) continue;
    std::vector<std::vector<int32_t>> expected, found;
    for (const Json& span : row.array("assistant_spans")) {
      expected.emplace_back();
      for (int64_t t = span.as_array()[0].as_integer(); t <= span.as_array()[1].as_integer(); ++t)
        expected.back().push_back(static_cast<int32_t>(row.array("ids")[static_cast<size_t>(t)].as_integer()));
    }
    ChatCounts counts;
    for (const ChatSequence& one : chat.encode(conversation, counts))
      for (size_t t = 0; t < one.ids.size(); ++t) {
        if (!one.loss_mask[t]) continue;
        if (t == 0 || !one.loss_mask[t - 1]) found.emplace_back();
        found.back().push_back(one.ids[t]);
      }
    if (counts.turns[2] > 0) continue;  // mistral's system message moves
    EXPECT_EQ(found, expected) << row.dump();
    ++compared;
  }
  EXPECT_GE(compared, 5);
}

INSTANTIATE_TEST_SUITE_P(Text, BuiltInTemplates, ::testing::ValuesIn(names()), testing::word_name);

TEST(ChatTemplate, EveryBuiltInOneHasVectors) {
  std::vector<std::string> known;
  for (const auto& [name, tokenizer] : kTokenizers) known.push_back(name);
  std::vector<std::string> found = names();
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, known);
}

class TemplateOfModel : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(directory_.file(name)).parent_path());
    testing::write_bytes(directory_.file(name), text);
    return directory_.file(name);
  }
  std::string text(const ChatOptions& options = {}, const Json& tools = {}) {
    const auto found = ChatTemplate::of_model(directory_.path(), options);
    if (!found) return "none";
    Conversation conversation = user_turn("hi");
    conversation.tools = tools;
    return found->render(conversation, conversation.messages, true, thinking_).text;
  }
  std::string error(const ChatOptions& options) {
    try {
      return text(options);
    } catch (const Error& error) {
      return error.what();
    }
  }
  testing::TemporaryDirectory directory_;
  std::optional<bool> thinking_;
};

TEST_F(TemplateOfModel, TheOneThatStandsFirstWins) {
  EXPECT_EQ(text(), "none");
  file("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656, "bos_token": "<s>",
      "eos_token": {"content": "</s>"}, "chat_template": "4{{ bos_token }}{{ eos_token }}"})");
  EXPECT_EQ(text(), "4<s></s>");
  file("chat_template.json", R"({"chat_template": "3"})");
  EXPECT_EQ(text(), "3");
  file("chat_template.jinja", "2");
  EXPECT_EQ(text(), "2");
  EXPECT_EQ(text({.chat_template = file("mine.txt", "1{{ messages[0].content }}")}), "1hi");
  EXPECT_EQ(text({.chat_template = "fledgling"}), "<s><|user|>\nhi<|end|>\n<|assistant|>\n");
  EXPECT_NE(error({.chat_template = "vicuna"}).find("expected a file or one of chatml, "), std::string::npos);
}

TEST_F(TemplateOfModel, ToolsHaveTheirOwnWhereTheModelHasOne) {
  const Json tools = Json::Array{Json::object({{"name", "add"}})};
  file("tokenizer_config.json",
       R"({"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"},
                             {"name": "rag", "template": "rag"}]})");
  EXPECT_EQ(text(), "plain");
  EXPECT_EQ(text({}, tools), "tools");
  file("chat_template.jinja", "alone");
  EXPECT_EQ(text({}, tools), "alone");
  file("additional_chat_templates/tool_use.jinja", "beside");
  EXPECT_EQ(text({}, tools), "beside");
}

TEST_F(TemplateOfModel, ArgumentsAndDate) {
  file("chat_template.jinja", "{{ a }} {{ b.c }} {{ enable_thinking }} {{ strftime_now('%d %b %Y %H:%M') }}");
  const ChatOptions options{.template_args = {"a=x=1", R"(b={"c": [1, true]})"}, .template_date = "2024-07-26"};
  EXPECT_EQ(text(options), "x=1 [1, True]  26 Jul 2024 00:00");
  thinking_ = false;
  EXPECT_EQ(text(options), "x=1 [1, True] False 26 Jul 2024 00:00");
  ChatOptions told = options;
  told.template_args.push_back("enable_thinking=true");
  file("chat_template.jinja", "{{ a }}");
  Conversation line = user_turn("hi");
  line.arguments = Json::object({{"a", "the line's"}});
  EXPECT_EQ(ChatTemplate::of_model(directory_.path(), options)->render(line, line.messages, false, {}).text,
            "the line's");
  file("chat_template.jinja", "{{ a }} {{ b.c }} {{ enable_thinking }} {{ strftime_now('%d %b %Y %H:%M') }}");
  told.template_date = "2026-11-30 12:34:56";
  EXPECT_EQ(text(told), "x=1 [1, True] True 30 Nov 2026 12:34");
  EXPECT_EQ(ChatTemplate::of_model(directory_.path(), told)->date(), "2026-11-30 12:34:56");
  file("chat_template.jinja", "{{ a }} {{ b }} {{ c }}");
  EXPECT_EQ(text({.template_args = {"a=True", "b=False", "c=None"}}), "True False None");
  file("chat_template.jinja", "{{ 'False' if a else 'right' }}");
  EXPECT_EQ(text({.template_args = {"a=False"}}), "right");
  EXPECT_NE(error({.template_args = {"a"}}).find("expected KEY=VALUE, found \"a\""), std::string::npos);
  EXPECT_NE(error({.template_args = {"messages=[]"}}).find("messages is not to be set"), std::string::npos);
  EXPECT_NE(error({.template_date = "2026-02-30"}).find("expected YYYY-MM-DD"), std::string::npos);
  EXPECT_NE(error({.template_date = "yesterday"}).find("expected YYYY-MM-DD"), std::string::npos);
  file("chat_template.jinja", "no date");
  EXPECT_EQ(ChatTemplate::of_model(directory_.path(), told)->date(), "");
}

TEST_F(TemplateOfModel, ErrorsNameTheFile) {
  file("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_NE(error({}).find("tokenizer_config.json: chat_template: expected one named \"default\""), std::string::npos);
  for (const char* wrong : {"[]", R"({"chat_template": 3})", R"({"chat_template": "x", "bos_token": 5})"}) {
    file("tokenizer_config.json", wrong);
    EXPECT_NE(error({}).find("tokenizer_config.json: "), std::string::npos) << error({});
  }
  std::filesystem::create_symlink("nowhere", directory_.file("chat_template.jinja"));
  EXPECT_NE(error({}).find("chat_template.jinja: is no file"), std::string::npos) << error({});
  std::filesystem::remove(directory_.file("chat_template.jinja"));
  file("tokenizer_config.json", "{}");
  file("chat_template.jinja", "a\n{% nonsense %}");
  EXPECT_NE(error({}).find("chat_template.jinja:2"), std::string::npos) << error({});
}

}  // namespace
}  // namespace eyrie
