// text/chat_template.h: the chat template of a model, and what it is rendered with (spec §11).
//
//   --chat-template (a name or a file)  >  chat_template.jinja  >  chat_template.json  >  tokenizer_config.json
//
// A model without one must be told which: nothing is guessed from the vocabulary. The built-in names are the texts in
// assets/chat_templates.
#pragma once
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/conversation.h"
#include "text/jinja/jinja.h"

namespace eyrie {

// What a command line says of the template.
struct ChatOptions {
  std::string chat_template = {};               // a built-in name or a file; empty: the model's own
  std::vector<std::string> template_args = {};  // KEY=VALUE, VALUE as JSON where it is JSON, else a text
  std::string template_date = {};               // what strftime_now tells, "2026-11-30 12:00:00"; empty: now
};

std::string date_text(std::time_t instant);  // local: "2026-11-30 12:00:00"

struct BuiltInTemplate {
  std::string_view name, text;
};
std::span<const BuiltInTemplate> built_in_templates();

class ChatTemplate {
 public:
  // Nothing when the model carries none and none is named. Error{usage}: a name that is neither built in nor a file, an
  // argument that is not KEY=VALUE, a date that is none; Error{file}: a template that cannot be read.
  static std::optional<ChatTemplate> of_model(const std::string& directory, const ChatOptions& options);

  // The text of these messages under the conversation's tools, documents and arguments. `thinking`, where given, is
  // what enable_thinking (thinking) is unless the line or the command line says. Errors: Error{input}.
  JinjaOutput render(const Conversation& conversation, const Json::Array& messages, bool generation_prompt,
                     std::optional<bool> thinking) const;

  static bool is_reserved(std::string_view variable);  // set by what is rendered alone
  bool mentions(std::string_view name) const;
  std::string_view special_token(std::string_view name) const;  // "eos_token"; empty: the model names none

  const std::string& source() const { return source_; }  // the file, or "built in: NAME"
  const std::string& hash() const { return hash_; }      // 16 hexadecimal digits over its text
  std::string date() const;                              // "2026-11-30 12:00:00"; empty: the template never asks

 private:
  Json find_content_of_calls() const;
  explicit ChatTemplate(JinjaTemplate text) : text_(std::move(text)) {}
  JinjaTemplate text_;
  std::optional<JinjaTemplate> tool_text_;  // for conversations with tools
  std::string source_, hash_;
  Json special_tokens_ = Json::object({});
  Json arguments_ = Json::object({});
  Json content_of_calls_;  // of a message that holds calls and no words
  std::tm now_ = {};
};

}  // namespace eyrie
