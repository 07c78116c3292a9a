#include "text/conversation.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/named.h"

namespace eyrie {
namespace {

constexpr std::string_view kFunctionCall = "function_call";  // an assistant's turn whose content is the call

struct Role {
  std::string_view name, role;
};
constexpr Role kRoles[] = {
    {"system", "system"},      {"developer", "developer"},   {"user", "user"},
    {"human", "user"},         {"prompter", "user"},         {"assistant", "assistant"},
    {"gpt", "assistant"},      {"chatgpt", "assistant"},     {"bot", "assistant"},
    {"model", "assistant"},    {kFunctionCall, "assistant"}, {"tool", "tool"},
    {"observation", "tool"},   {"function", "tool"},         {"function_response", "tool"},
    {"tool_response", "tool"}, {"ipython", "tool"},
};

// One field under three names.
constexpr std::string_view kReasoningKeys[] = {"reasoning_content", "reasoning", "thinking"};
// What is read by itself; every other key is taken as it is.
constexpr std::string_view kKnownKeys[] = {"role", "from", "content", "value", "tool_calls"};

Error unfit(const std::string& message) { return {ErrorKind::input, "", message}; }

// A value that some data holds as JSON text.
Json parsed(const char* key, const Json& value) {
  if (!value.is_text()) return value;
  if (value.as_text().find_first_not_of(" \t\r\n") == std::string::npos) return Json::object({});
  return Json::parse(value.as_text(), key);
}

Json with_parsed_arguments(const Json& function) {
  Json copy = function;
  if (const Json* arguments = function.find("arguments")) copy.set("arguments", parsed("arguments", *arguments));
  return copy;
}

Json read_tool_calls(const Json& list) {
  Json::Array calls;
  const Json array = parsed("tool_calls", list);
  for (const Json& call : array.as_array()) {
    Json read = with_parsed_arguments(call);
    if (const Json* function = call.find("function")) read.set("function", with_parsed_arguments(*function));
    calls.push_back(std::move(read));
  }
  return calls;
}

// {"name", "arguments"} or a list of them, as the content of a function_call turn.
Json calls_in_content(const std::string& content) {
  const Json call = Json::parse(content, kFunctionCall.data());
  Json::Array calls;
  for (const Json& one : call.is_array() ? call.as_array() : Json::Array{call})
    calls.push_back(Json::object({{"type", "function"}, {"function", with_parsed_arguments(one)}}));
  return calls;
}

std::string joined_parts(const Json::Array& parts) {
  std::string text;
  for (const Json& part : parts) {
    const bool is_text = part.is_object() && part.find("type") && part.text("type") == "text";
    if (!is_text) throw unfit("content: expected text parts alone, found " + part.dump().substr(0, 40));
    text += (text.empty() ? "" : "\n") + part.text("text");
  }
  return text;
}

// Null where the message says so, or brings tool calls instead.
Json read_content(const Json& message) {
  const Json* content = message.find("content");
  if (!content) content = message.find("value");
  if (content && content->is_array()) return joined_parts(content->as_array());
  if (content && !content->is_text())
    throw unfit(fmt::format("content: expected text, found {}", content->dump().substr(0, 40)));
  if (content) return *content;
  if (!message.find("tool_calls")) throw unfit("content: expected text, found null");
  return {};
}

Json read_message(const Json& message) {
  const Json* found = message.find("role") ? message.find("role") : message.find("from");
  if (!found || !found->is_text())
    throw unfit(fmt::format("role: expected text, found {}", found ? found->dump().substr(0, 40) : "null"));
  const std::string& name = found->as_text();
  const Role* role = find_named(kRoles, name);
  if (!role) throw unfit(fmt::format("role \"{}\": expected one of {}", name, names_of(kRoles)));
  Json read = Json::object({{"role", std::string(role->role)}, {"content", read_content(message)}});
  if (name == kFunctionCall) {
    read.set("tool_calls", calls_in_content(std::string(content_of(read))));
    read.set("content", "");
  }
  if (const Json* calls = message.find("tool_calls")) read.set("tool_calls", read_tool_calls(*calls));
  for (const auto& [key, value] : message.as_members()) {
    if (value.is_null() || std::ranges::count(kKnownKeys, key) > 0) continue;
    const bool reasoning = std::ranges::count(kReasoningKeys, key) > 0 && value.is_text();
    if (reasoning && !reasoning_of(read).empty()) continue;
    read.set(reasoning ? kReasoningKeys[0] : key, value);
  }
  return read;
}

// A list, or JSON text of one; entries may be JSON text too.
Json read_list(const Json& line, const char* key) {
  const Json* found = line.find(key);
  if (!found) return {};
  Json::Array list;
  const Json array = parsed(key, *found);
  if (array.is_object() && array.as_members().empty()) return {};
  for (const Json& entry : array.as_array()) list.push_back(parsed(key, entry));
  return list.empty() ? Json() : Json(std::move(list));
}

}  // namespace

std::string_view role_of(const Json& message) { return message.text("role"); }

std::string_view content_of(const Json& message) {
  const Json* content = message.find("content");
  return content ? std::string_view(content->as_text()) : std::string_view();
}

std::string_view reasoning_of(const Json& message) {
  const Json* reasoning = message.find(kReasoningKeys[0]);
  return reasoning && reasoning->is_text() ? std::string_view(reasoning->as_text()) : std::string_view();
}

std::optional<Conversation> read_conversation(const Json& line) {
  const Json* list = line.find("conversations");
  if (!list) list = line.find("messages");
  if (!list) return std::nullopt;
  Conversation conversation;
  const Json messages = parsed("messages", *list);
  if (!messages.is_array()) throw unfit("messages: expected a list, found " + messages.dump().substr(0, 40));
  for (const Json& message : messages.as_array()) {
    try {
      conversation.messages.push_back(read_message(message));
    } catch (const Error& error) {
      throw unfit(fmt::format("message {}: {}", conversation.messages.size() + 1, error.what()));
    }
  }
  if (conversation.messages.empty()) throw unfit("the conversation is empty");
  const Json* system = line.find("system");
  if (system && !system->as_text().empty() && role_of(conversation.messages[0]) != "system")
    conversation.messages.insert(conversation.messages.begin(),
                                 Json::object({{"role", "system"}, {"content", system->as_text()}}));
  conversation.tools = read_list(line, "tools");
  conversation.documents = read_list(line, "documents");
  if (const Json* arguments = line.find("chat_template_kwargs"))
    conversation.arguments = parsed("chat_template_kwargs", *arguments);
  return conversation;
}

Conversation user_turn(const std::string& content) {
  return {.messages = {Json::object({{"role", "user"}, {"content", content}})}};
}

}  // namespace eyrie
