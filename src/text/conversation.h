// text/conversation.h: one conversation in the form that chat templates are written for, out of the spellings that data
// has (spec §11, "Messages").
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "io/json.h"

namespace eyrie {

struct Conversation {
  // Objects: role (system, developer, user, assistant or tool), content (text or null), reasoning_content where there
  // is reasoning, tool_calls with their arguments as JSON, and every other key of the data whose value is not null.
  Json::Array messages;
  Json tools = {}, documents = {};    // arrays; null where the line has none
  Json arguments = Json::object({});  // the line's chat_template_kwargs
};

// The conversation of {"messages": [...]} or {"conversations": [...]}; nothing when a line has neither.
//   role     "role" or "from"; human, gpt, function_call, observation, model and their kin are mapped
//   content  "content" or "value"; a list of text parts is joined by newlines
//   beside   "system" (a text: the first message), "tools", "documents", "chat_template_kwargs"
// Errors: Error{input} "message 2: …": an unknown role, content that is no text, tool calls that are not JSON.
std::optional<Conversation> read_conversation(const Json& line);
Conversation user_turn(const std::string& content);

std::string_view role_of(const Json& message);
std::string_view content_of(const Json& message);    // empty where it is null
std::string_view reasoning_of(const Json& message);  // empty without

}  // namespace eyrie
