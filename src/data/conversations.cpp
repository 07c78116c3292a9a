#include "data/conversations.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "base/named.h"
#include "data/supervision.h"
#include "io/eos_token_ids.h"

namespace eyrie {
namespace {

TokenSequence read_tokens(const Json& line) {
  TokenSequence sequence;
  for (const Json& id : line.array("input_ids"))
    at_place("input_ids", [&] { sequence.input_ids.push_back(static_cast<int32_t>(id.as_integer(0, INT32_MAX))); });
  for (const Json& bit : line.array("loss_mask")) sequence.loss_mask.push_back(mask_bit(bit));
  if (sequence.input_ids.empty()) throw Error(ErrorKind::file, "input_ids", "the sequence is empty");
  if (sequence.input_ids.size() != sequence.loss_mask.size())
    throw Error(ErrorKind::file, "loss_mask",
                fmt::format("expected {} entries, found {}", sequence.input_ids.size(), sequence.loss_mask.size()));
  return sequence;
}

std::vector<TokenSequence> read_sequences(const Json& line, const ConversationReader& reader, ChatCounts& counts) {
  if (!line.is_object()) line.as_members();  // throws what it is instead
  std::vector<TokenSequence> sequences;
  if (line.find("input_ids")) {
    sequences.push_back(read_tokens(line));
  } else if (const auto conversation = read_conversation(line)) {
    for (ChatSequence& one : reader.expect_chat().encode(*conversation, counts))
      sequences.push_back({"", std::move(one.ids), std::move(one.loss_mask)});
  } else {
    const bool asks = line.find("prompt") || line.find("question") || line.find("turns");
    throw Error(ErrorKind::file, "",
                std::string("expected \"conversations\", \"messages\" or \"input_ids\"") +
                    (asks ? ", found a prompt without an answer" : ""));
  }
  if (const Json* id = line.find("id"))
    for (TokenSequence& one : sequences) one.id = text_or_json(*id);
  return sequences;
}

void check_ids(const TokenSequence& sequence, int64_t vocabulary) {
  for (size_t t = 0; t < sequence.input_ids.size(); ++t)
    if (sequence.input_ids[t] >= vocabulary)
      throw Error(ErrorKind::file, "",
                  fmt::format("token {}: expected an id below {}, found {}", t, vocabulary, sequence.input_ids[t]));
}

// A line of tokens is taken as it is, whatever it supervises, unless it is cut.
void add(TokenSequence sequence, bool as_it_is, int64_t max_tokens, Conversations& out) {
  if (max_tokens > 0 && static_cast<int64_t>(sequence.input_ids.size()) > max_tokens) {
    as_it_is = false;
    sequence.input_ids.resize(static_cast<size_t>(max_tokens));
    sequence.loss_mask.resize(static_cast<size_t>(max_tokens));
    ++out.cut;
  }
  const std::vector<int32_t> ends = {0, static_cast<int32_t>(sequence.input_ids.size())};
  if (!as_it_is && supervise(sequence.loss_mask, ends, 1).rows() == 0) return void(++out.unsupervised);
  out.tokens += static_cast<int64_t>(sequence.input_ids.size());
  out.supervised_tokens += std::count(sequence.loss_mask.begin(), sequence.loss_mask.end(), 1);
  out.sequences.push_back(std::move(sequence));
}

}  // namespace

uint8_t mask_bit(const Json& entry) {
  const double value = entry.is_boolean() ? entry.as_boolean() : entry.is_number() ? entry.as_number() : -1;
  if (value == 0 || value == 1) return value == 1;
  throw Error(ErrorKind::file, "loss_mask", fmt::format("expected 0 or 1, found {}", entry.dump()));
}

ConversationReader ConversationReader::of_model(const std::string& directory, const ChatOptions& options) {
  if (!std::filesystem::is_directory(directory)) throw Error(ErrorKind::file, directory, "is no directory");
  ConversationReader reader;
  reader.model = directory;
  reader.stop_ids = eos_token_ids(directory);
  auto chat_template = ChatTemplate::of_model(directory, options);
  if (!std::filesystem::exists(directory + "/tokenizer.json")) return reader;
  reader.tokenizer = Tokenizer::from_directory(directory);
  reader.vocabulary = reader.tokenizer->vocabulary_size();
  if (!chat_template) return reader;
  reader.chat.emplace(*reader.tokenizer, std::move(*chat_template), reader.stop_ids);
  reader.stop_ids = reader.chat->stop_ids();
  return reader;
}

FeatureInfo ConversationReader::info(const std::string& target_fingerprint, std::vector<int64_t> tap_ids) const {
  FeatureInfo info{target_fingerprint, std::move(tap_ids), tokenizer ? tokenizer->hash() : ""};
  if (chat) info.template_hash = chat->chat_template().hash(), info.template_date = chat->chat_template().date();
  return info;
}

const Tokenizer& ConversationReader::expect_tokenizer() const {
  if (tokenizer) return *tokenizer;
  throw Error(ErrorKind::usage, model,
              "has no tokenizer.json: expected lines of \"input_ids\" (and \"loss_mask\"), found text");
}

const ChatTokenizer& ConversationReader::expect_chat() const {
  expect_tokenizer();
  if (chat) return *chat;
  throw Error(ErrorKind::usage, model,
              fmt::format("carries no chat template (chat_template.jinja, chat_template.json, tokenizer_config.json): "
                          "name one with --chat-template, a file or one of {}",
                          names_of(built_in_templates())));
}

Conversations survey_conversations(const std::string& path, const ConversationReader& reader) {
  Conversations out;
  out.lines = for_each_fit_line(path, [&](const Json& line, int64_t) {
    ChatCounts counts = out.chat;  // of a line that turns out unfit nothing is counted
    std::vector<TokenSequence> sequences = read_sequences(line, reader, counts);
    for (const TokenSequence& sequence : sequences) check_ids(sequence, reader.vocabulary);
    out.unsupervised += sequences.empty();
    for (TokenSequence& sequence : sequences)
      add(std::move(sequence), line.find("input_ids") != nullptr, reader.max_tokens, out);
    out.chat = std::move(counts);
  });
  if (out.lines.lines == 0) throw Error(ErrorKind::file, path, "holds no conversation");
  return out;
}

std::vector<std::string> warnings_of(const Conversations& data) {
  const ChatCounts& chat = data.chat;
  std::vector<std::string> lines;
  if (const int64_t other = chat.turns[static_cast<size_t>(SpanRule::common)]; other > 0)
    lines.push_back(counted(other, "turn is", "turns are") +
                    " trained behind another context than the model is served with (clause c)");
  if (chat.unopened_turns > 0)
    lines.push_back(counted(chat.unopened_turns, "turn has", "turns have") +
                    " no reasoning, though the generation prompt always opens a block for it");
  if (chat.added_blocks > 0)
    lines.push_back(counted(chat.added_blocks, "turn begins", "turns begin") +
                    " with a block of reasoning that only the template writes");
  if (2 * chat.repeated_tokens > data.tokens && data.tokens > 0)
    lines.push_back(
        fmt::format("{:.0f} % of the tokens are contexts written once more: the template writes earlier turns "
                    "otherwise than they were given",
                    100 * static_cast<double>(chat.repeated_tokens) / static_cast<double>(data.tokens)));
  for (const auto& [what, count] : chat.unrendered)
    lines.push_back(fmt::format("{} in {}: the template writes it not, or not whole", what, counted(count, "place")));
  return lines;
}

Conversations read_conversations(const std::string& path, const ConversationReader& reader) {
  Conversations out = survey_conversations(path, reader);
  out.lines.expect_few(path, reader.bad_lines);
  for (const std::string& warning : warnings_of(out)) log_warning(path + ": " + warning);
  return out;
}

}  // namespace eyrie
