// data/conversations.h: conversations of JSONL files (spec §7, §11) as token sequences with loss masks. One line is one
// of
//   {"id", "conversations": [{"role"|"from", "content"|"value"}]}   text/conversation.h
//   {"id", "messages": [{"role", "content"}]}
//   {"id", "input_ids": [...], "loss_mask": [...]}                   needs no tokenizer
// A line that cannot be read or rendered is unfit (data/json_lines.h); one that is cut, or that supervises nothing, is
// not.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/features.h"
#include "data/json_lines.h"
#include "data/packing.h"
#include "text/chat_tokenizer.h"

namespace eyrie {

// An entry of "loss_mask": 0 and 1, true and false, 0.0 and 1.0. Error{file} otherwise.
uint8_t mask_bit(const Json& entry);

struct ConversationReader {
  std::optional<Tokenizer> tokenizer;  // absent: only lines with input_ids are taken
  std::optional<ChatTokenizer> chat;   // absent: the model carries no template and none is named
  std::string model;                   // its directory, for errors
  std::vector<int32_t> stop_ids;       // all that end the model's text
  bool raw_prompts = false;            // prompts are plain text: no template
  int64_t vocabulary = 0;              // ids must lie below it
  int64_t max_tokens = 0;              // longer sequences are cut there; 0: never
  double bad_lines = 0.01;             // the share of unfit lines that is passed over

  // The tokenizer and the template of a model directory, as far as it has them.
  static ConversationReader of_model(const std::string& directory, const ChatOptions& options);
  // What was read with: written into features, kept with a run.
  FeatureInfo info(const std::string& target_fingerprint, std::vector<int64_t> tap_ids) const;
  const Tokenizer& expect_tokenizer() const;  // Error{usage}
  const ChatTokenizer& expect_chat() const;   // Error{usage} that says how to name a template
};

struct Conversations {
  std::vector<TokenSequence> sequences;
  int64_t cut = 0;                            // sequences that were longer than max_tokens
  int64_t unsupervised = 0;                   // sequences of turns, or cut ones, that supervise nothing: left out
  int64_t tokens = 0, supervised_tokens = 0;  // after cutting
  UnfitLines lines;
  ChatCounts chat;
};
// What a user should look at before a run: contexts that are not those of a server, what the text leaves out.
std::vector<std::string> warnings_of(const Conversations& data);

// Logs the warnings. Errors: Error{file} when more than bad_lines are unfit; Error{usage} for what the reader lacks.
Conversations read_conversations(const std::string& path, const ConversationReader& reader);
// Without warnings and without the judgement of unfit lines.
Conversations survey_conversations(const std::string& path, const ConversationReader& reader);

}  // namespace eyrie
