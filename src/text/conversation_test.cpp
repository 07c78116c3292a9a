// The spellings that data has, and what templates get of them.
#include "text/conversation.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace eyrie {
namespace {

Conversation read(const std::string& line) { return *read_conversation(Json::parse(line, "line")); }

std::string messages_of(const std::string& line) { return Json(read(line).messages).dump(); }

std::string error_of(const std::string& line) {
  try {
    read(line);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Conversation, RolesAreMapped) {
  const std::pair<const char*, const char*> roles[] = {
      {"human", "user"},          {"prompter", "user"},    {"gpt", "assistant"}, {"model", "assistant"},
      {"bot", "assistant"},       {"observation", "tool"}, {"ipython", "tool"},  {"tool", "tool"},
      {"developer", "developer"}, {"system", "system"}};
  for (const auto& [found, expected] : roles)
    EXPECT_EQ(messages_of(std::string(R"({"conversations":[{"from":")") + found + R"(","value":"x"}]})"),
              std::string(R"([{"role":")") + expected + R"(","content":"x"}])");
  EXPECT_EQ(error_of(R"({"messages":[{"role":"user","content":"x"},{"role":"narrator","content":"y"}]})")
                .find("message 2: role \"narrator\": expected one of system, developer, user"),
            0u);
  EXPECT_FALSE(read_conversation(Json::parse(R"({"text":"x"})", "line")));
}

TEST(Conversation, SystemFieldIsTheFirstMessage) {
  const std::string as_message =
      messages_of(R"({"conversations":[{"from":"system","value":"Be short."},{"from":"human","value":"Hi"}]})");
  EXPECT_EQ(messages_of(R"({"system":"Be short.","conversations":[{"from":"human","value":"Hi"}]})"), as_message);
  EXPECT_EQ(messages_of(R"({"system":"","messages":[{"role":"user","content":"Hi"}]})"),
            R"([{"role":"user","content":"Hi"}])");
}

TEST(Conversation, ReasoningIsOneFieldUnderThreeNames) {
  for (const char* key : {"reasoning_content", "reasoning", "thinking"}) {
    const std::string line = std::string(R"({"messages":[{"role":"assistant","content":"x",")") + key + R"(":"why"}]})";
    EXPECT_EQ(messages_of(line), R"([{"role":"assistant","content":"x","reasoning_content":"why"}])");
    EXPECT_EQ(reasoning_of(read(line).messages[0]), "why");
  }
}

TEST(Conversation, ArgumentsAndToolsGivenAsTextAreParsed) {
  const std::string expected =
      R"([{"role":"assistant","content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":1}}}]}])";
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"assistant","content":null,"tool_calls":
      [{"type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]}]})"),
            expected);
  EXPECT_EQ(
      messages_of(
          R"({"conversations":[{"from":"function_call","value":"{\"name\": \"f\", \"arguments\": {\"a\": 1}}"}]})"),
      R"([{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":1}}}]}])");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"assistant","tool_calls":[{"name":"f","arguments":""}]}]})"),
            R"([{"role":"assistant","content":null,"tool_calls":[{"name":"f","arguments":{}}]}])");
  const std::string tools = R"([{"type":"function","function":{"name":"f"}}])";
  const std::string messages = R"("messages":[{"role":"user","content":"x"}])";
  for (const char* form : {R"("tools":[{"type":"function","function":{"name":"f"}}],)",
                           R"("tools":"[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",)",
                           R"("tools":["{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"],)"})
    EXPECT_EQ(read("{" + std::string(form) + messages + "}").tools.dump(), tools);
  for (const char* form : {R"("tools":[],)", R"("tools":"",)", R"("tools":null,)", ""})
    EXPECT_TRUE(read("{" + std::string(form) + messages + "}").tools.is_null());
  EXPECT_NE(error_of(R"({"messages":[{"role":"assistant","content":"","tool_calls":[{"name":"f","arguments":"{"}]}]})")
                .find("message 1: arguments:1: malformed JSON"),
            std::string::npos);
}

TEST(Conversation, ContentIsTextOrPartsOfText) {
  EXPECT_EQ(messages_of(
                R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]})"),
            R"([{"role":"user","content":"a\nb"}])");
  EXPECT_EQ(error_of(R"({"messages":[{"role":"user","content":[{"type":"image","url":"x"}]}]})")
                .find("message 1: content: expected text parts alone, found {\"type\":\"image\""),
            0u);
  EXPECT_EQ(error_of(R"({"messages":[{"role":"user","content":7}]})"), "message 1: content: expected text, found 7");
  EXPECT_EQ(error_of(R"({"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null}]})"),
            "message 2: content: expected text, found null");
  EXPECT_EQ(error_of(R"({"messages":[{"role":null,"content":"x"}]})"), "message 1: role: expected text, found null");
  EXPECT_EQ(error_of(R"({"messages":[]})"), "the conversation is empty");
}

TEST(Conversation, OtherKeysStayUnlessNull) {
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"tool","content":"x","tool_call_id":"a","name":null,"weight":0}]})"),
            R"([{"role":"tool","content":"x","tool_call_id":"a","weight":0}])");
  EXPECT_EQ(
      read(R"({"chat_template_kwargs":{"k":2},"documents":[{"text":"d"}],"messages":[{"role":"user","content":"x"}]})")
          .arguments.dump(),
      R"({"k":2})");
}

}  // namespace
}  // namespace eyrie
