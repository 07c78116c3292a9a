// data/conversations.h: conversations of JSONL files (spec §7) as token sequences with loss masks. One line is one of
//   {"id", "conversations": [{"role"|"from", "content"|"value"}]}   human is user, gpt is assistant
//   {"id", "messages": [{"role", "content"}]}
//   {"id", "input_ids": [...], "loss_mask": [...]}                   needs no tokenizer
// Errors: Error{file} at "path:line".
#pragma once
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "data/packing.h"
#include "io/json.h"
#include "text/chat_template.h"

namespace eyrie {

// Calls visit(line as JSON) for each line that is not blank; an Error that visit throws gets the place "path:line".
void for_each_json_line(std::istream& lines, const std::string& place, const std::function<void(const Json&)>& visit);
void for_each_json_line(const std::string& path, const std::function<void(const Json&)>& visit);

// The messages of a line in either conversation form; nothing when it has neither. Roles are user, assistant, system,
// ….
std::optional<std::vector<Message>> read_messages(const Json& line);

struct ConversationReader {
  std::optional<Tokenizer> tokenizer;  // absent: only lines with input_ids are taken
  const ChatTemplate* chat_template = nullptr;
  std::string template_rule;  // why that template, for the log
  bool raw_prompts = false;   // prompts are plain text: no template
  int64_t vocabulary = 0;     // ids must lie below it
  int64_t max_tokens = 0;     // longer sequences are cut there; 0: never

  // The tokenizer of a model directory, if it has one, and the template of that name ("": guessed).
  static ConversationReader of_model(const std::string& directory, const std::string& template_name);
};

struct Conversations {
  std::vector<TokenSequence> sequences;
  int64_t cut = 0;                            // sequences that were longer than max_tokens
  int64_t tokens = 0, supervised_tokens = 0;  // after cutting
};
Conversations read_conversations(const std::string& path, const ConversationReader& reader);

}  // namespace eyrie
