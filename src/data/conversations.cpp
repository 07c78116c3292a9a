#include "data/conversations.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "io/descriptor.h"

namespace eyrie {
namespace {

std::string canonical_role(const std::string& role) {
  if (role == "human") return "user";
  if (role == "gpt") return "assistant";
  return role;
}

const std::string& text_of(const Json& message, const char* key, const char* other_key) {
  return message.find(key) ? message.text(key) : message.text(other_key);
}

TokenSequence read_tokens(const Json& line) {
  TokenSequence sequence;
  for (const Json& id : line.array("input_ids"))
    sequence.input_ids.push_back(static_cast<int32_t>(id.as_integer(0, INT32_MAX)));
  for (const Json& bit : line.array("loss_mask"))
    sequence.loss_mask.push_back(static_cast<uint8_t>(bit.as_integer(0, 1)));
  if (sequence.input_ids.empty()) throw Error(ErrorKind::file, "input_ids", "the sequence is empty");
  if (sequence.input_ids.size() != sequence.loss_mask.size())
    throw Error(ErrorKind::file, "loss_mask",
                fmt::format("expected {} entries, found {}", sequence.input_ids.size(), sequence.loss_mask.size()));
  return sequence;
}

TokenSequence encode(const std::vector<Message>& messages, const ConversationReader& reader) {
  if (reader.tokenizer && !reader.chat_template) throw Error(ErrorKind::file, "", reader.template_rule);
  if (!reader.tokenizer)
    throw Error(ErrorKind::file, "",
                "expected \"input_ids\" and \"loss_mask\" (no tokenizer is at hand), found a conversation");
  if (messages.empty()) throw Error(ErrorKind::file, "", "the conversation is empty");
  EncodedChat chat = encode_chat(*reader.tokenizer, *reader.chat_template, messages, false);
  return {"", std::move(chat.ids), std::move(chat.loss_mask)};
}

TokenSequence read_sequence(const Json& line, const ConversationReader& reader) {
  if (!line.is_object()) line.as_members();  // throws what it is instead
  TokenSequence sequence;
  if (line.find("input_ids"))
    sequence = read_tokens(line);
  else if (const auto messages = read_messages(line))
    sequence = encode(*messages, reader);
  else
    throw Error(ErrorKind::file, "", "expected \"conversations\", \"messages\" or \"input_ids\"");
  if (const Json* id = line.find("id")) sequence.id = id->is_text() ? id->as_text() : id->dump();
  return sequence;
}

void check_ids(const TokenSequence& sequence, int64_t vocabulary) {
  for (size_t t = 0; t < sequence.input_ids.size(); ++t)
    if (sequence.input_ids[t] >= vocabulary)
      throw Error(ErrorKind::file, "",
                  fmt::format("token {}: expected an id below {}, found {}", t, vocabulary, sequence.input_ids[t]));
}

void add(TokenSequence sequence, int64_t max_tokens, Conversations& out) {
  if (max_tokens > 0 && static_cast<int64_t>(sequence.input_ids.size()) > max_tokens) {
    sequence.input_ids.resize(static_cast<size_t>(max_tokens));
    sequence.loss_mask.resize(static_cast<size_t>(max_tokens));
    ++out.cut;
  }
  out.tokens += static_cast<int64_t>(sequence.input_ids.size());
  out.supervised_tokens += std::count(sequence.loss_mask.begin(), sequence.loss_mask.end(), 1);
  out.sequences.push_back(std::move(sequence));
}

}  // namespace

void for_each_json_line(std::istream& lines, const std::string& place, const std::function<void(const Json&)>& visit) {
  std::string text;
  for (int64_t line = 1; std::getline(lines, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json json = Json::parse(text, place, line);
    try {
      visit(json);
    } catch (const Error& error) {
      const std::string what = error.what();
      throw Error(ErrorKind::file, place_of_line(place, line),
                  what.starts_with(place + ": ") ? what.substr(place.size() + 2) : what);
    }
  }
  if (lines.bad()) throw system_error(place, "cannot be read");
}

void for_each_json_line(const std::string& path, const std::function<void(const Json&)>& visit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw system_error(path, "cannot be opened");
  for_each_json_line(file, path, visit);
}

ConversationReader ConversationReader::of_model(const std::string& directory, const std::string& template_name) {
  ConversationReader reader;
  if (!std::filesystem::exists(directory + "/tokenizer.json")) return reader;
  reader.tokenizer = Tokenizer::from_directory(directory);
  if (template_name.empty()) {
    try {
      GuessedTemplate guess = guess_chat_template(*reader.tokenizer, directory);
      reader.chat_template = guess.chat_template;
      reader.template_rule = std::move(guess.rule);
    } catch (const Error& error) {
      reader.template_rule = error.what();  // lines of token ids need none
    }
  } else {
    reader.chat_template = &find_chat_template(template_name);
    reader.template_rule = "named on the command line";
  }
  return reader;
}

std::optional<std::vector<Message>> read_messages(const Json& line) {
  const Json* list = line.find("conversations");
  if (!list) list = line.find("messages");
  if (!list) return std::nullopt;
  std::vector<Message> messages;
  for (const Json& message : list->as_array())
    messages.push_back({canonical_role(text_of(message, "role", "from")), text_of(message, "content", "value")});
  return messages;
}

Conversations read_conversations(const std::string& path, const ConversationReader& reader) {
  Conversations out;
  for_each_json_line(path, [&](const Json& line) {
    TokenSequence sequence = read_sequence(line, reader);
    check_ids(sequence, reader.vocabulary);
    add(std::move(sequence), reader.max_tokens, out);
  });
  if (out.sequences.empty()) throw Error(ErrorKind::file, path, "holds no conversation");
  return out;
}

}  // namespace eyrie
