#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "app/commands.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "data/conversations.h"
#include "data/vocabulary.h"
#include "model/config.h"

namespace eyrie {
namespace {

struct Marks {
  const char *begin, *end;
};

// Runs of supervised tokens between the marks. A run is decoded as a whole, so characters of several tokens stay whole.
std::string marked_text(const Tokenizer& tokenizer, const TokenSequence& sequence, const Marks& marks) {
  std::string text;
  for (size_t begin = 0, end; begin < sequence.input_ids.size(); begin = end) {
    const uint8_t supervised = sequence.loss_mask[begin];
    const auto run = sequence.loss_mask.begin() + static_cast<std::ptrdiff_t>(begin);
    end = begin + static_cast<size_t>(std::find(run, sequence.loss_mask.end(), !supervised) - run);
    const std::string decoded = tokenizer.decode(std::span(sequence.input_ids).subspan(begin, end - begin), false);
    text += supervised ? marks.begin + decoded + marks.end : decoded;
  }
  return text;
}

bool wants_color() {
  const char *refused = std::getenv("NO_COLOR"), *terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && !(refused && *refused) && !(terminal && std::string_view(terminal) == "dumb");
}

void show(const DataCommand& command, const ConversationReader& reader, const Conversations& data) {
  const Marks marks = wants_color() ? Marks{"\033[32m", "\033[0m"} : Marks{"«", "»"};
  const size_t count = std::min(data.sequences.size(), static_cast<size_t>(command.show));
  for (size_t i = 0; i < count; ++i) {
    const TokenSequence& one = data.sequences[i];
    fmt::print("--- sequence {}{} ({})\n{}\n", i + 1, one.id.empty() ? "" : ", id " + one.id,
               counted(std::ssize(one.input_ids), "token"), marked_text(reader.expect_tokenizer(), one, marks));
  }
  if (count > 0) fmt::print("---\n");
}

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// What both forms of the answer say, in the order of the table.
struct Figures {
  std::vector<int64_t> lengths;  // ascending
  int64_t draft_vocabulary = 0;
  double oov_share = 0;
  std::string bos;  // what the tokenizer would put in front of a text

  // The least length that this part of them does not exceed.
  int64_t length_at(double part) const {
    const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(lengths.size())));
    return lengths.empty() ? 0 : lengths[std::max<size_t>(rank, 1) - 1];
  }
};

Figures measure(const DataCommand& command, const ConversationReader& reader, const Conversations& data) {
  Figures figures;
  for (const TokenSequence& one : data.sequences) figures.lengths.push_back(std::ssize(one.input_ids));
  std::sort(figures.lengths.begin(), figures.lengths.end());
  int64_t vocabulary = reader.tokenizer ? reader.vocabulary : 1;
  for (const TokenSequence& one : data.sequences)
    for (const int32_t id : one.input_ids) vocabulary = std::max<int64_t>(vocabulary, id + 1);
  const std::vector<int64_t> counts = count_supervised_tokens(data.sequences, vocabulary);
  figures.draft_vocabulary =
      std::min(vocabulary, command.draft_vocabulary ? command.draft_vocabulary : kUsualDraftVocabulary);
  figures.oov_share = out_of_vocabulary_share(counts, draft_vocabulary_ids(counts, figures.draft_vocabulary));
  if (!reader.tokenizer) return figures;
  const std::vector<int32_t> plain = reader.tokenizer->encode("a", false), full = reader.tokenizer->encode("a", true);
  if (full.size() > plain.size() && full[0] != plain[0]) figures.bos = reader.tokenizer->token_text(full[0]);
  return figures;
}

void print_table(const ConversationReader& reader, const Conversations& data, const Figures& figures) {
  const ChatCounts& chat = data.chat;
  if (reader.chat) {
    const std::string date = reader.chat->chat_template().date();
    fmt::print("template    {}{}\n", reader.chat->chat_template().source(), date.empty() ? "" : ", its date " + date);
  }
  if (!figures.bos.empty())
    fmt::print("bos         the tokenizer would put {} in front; only the template's own stands\n", figures.bos);
  fmt::print("lines       {}, {} unfit\n", data.lines.lines, data.lines.unfit);
  for (const std::string& line : data.lines.first) fmt::print("            {}\n", line);
  fmt::print("sequences   {} of {}; {} cut, {} left out (nothing supervised)\n", data.sequences.size(),
             counted(data.lines.lines - data.lines.unfit, "line"), data.cut, data.unsupervised);
  fmt::print("tokens      {}, {:.1f} % supervised, {:.2f} % of them not in the {} usual\n", data.tokens,
             100 * share(data.supervised_tokens, data.tokens), 100 * figures.oov_share, figures.draft_vocabulary);
  if (chat.repeated_tokens > 0 && data.tokens > chat.repeated_tokens)
    fmt::print("repeated    {} of contexts that begin a sequence of their own (+{:.1f} %)\n",
               counted(chat.repeated_tokens, "token"),
               100 * share(chat.repeated_tokens, data.tokens - chat.repeated_tokens));
  fmt::print("lengths     least {}, median {}, nine tenths up to {}, most {}\n", figures.length_at(0),
             figures.length_at(0.5), figures.length_at(0.9), figures.length_at(1));
  fmt::print("turns       {} supervised: {} go on from their prompt (a), {} in a block that it\n",
             chat.supervised_turns(), chat.turns[0], chat.turns[1]);
  fmt::print("            opens (b), {} behind what any answer shares (c); {} with reasoning,\n", chat.turns[2],
             chat.reasoning_turns);
  fmt::print("            {} empty; {} more are context alone\n", chat.empty_turns, chat.context_turns);
  for (const std::string& line : warnings_of(data)) fmt::print("warning     {}\n", line);
}

Json to_json(const ConversationReader& reader, const Conversations& data, const Figures& figures) {
  const ChatCounts& chat = data.chat;
  Json unrendered = Json::object({});
  for (const auto& [what, count] : chat.unrendered) unrendered.set(what, count);
  Json::Array unfit(data.lines.first.begin(), data.lines.first.end()), said;
  for (const std::string& line : warnings_of(data)) said.emplace_back(line);
  return Json::object({
      {"template", reader.chat ? Json(reader.chat->chat_template().source()) : Json()},
      {"template_date", reader.chat ? reader.chat->chat_template().date() : ""},
      {"tokenizer_bos", figures.bos},
      {"lines", data.lines.lines},
      {"unfit", data.lines.unfit},
      {"first_unfit", std::move(unfit)},
      {"conversations", chat.conversations},
      {"sequences", std::ssize(data.sequences)},
      {"cut", data.cut},
      {"unsupervised", data.unsupervised},
      {"tokens", data.tokens},
      {"supervised_tokens", data.supervised_tokens},
      {"repeated_tokens", chat.repeated_tokens},
      {"draft_vocabulary", figures.draft_vocabulary},
      {"oov_share", figures.oov_share},
      {"lengths", Json::object({{"least", figures.length_at(0)},
                                {"median", figures.length_at(0.5)},
                                {"nine_tenths", figures.length_at(0.9)},
                                {"most", figures.length_at(1)}})},
      {"turns", Json::object({{"a", chat.turns[0]},
                              {"b", chat.turns[1]},
                              {"c", chat.turns[2]},
                              {"reasoning", chat.reasoning_turns},
                              {"without_the_reasoning_opened", chat.unopened_turns},
                              {"with_an_added_block", chat.added_blocks},
                              {"empty", chat.empty_turns},
                              {"context", chat.context_turns}})},
      {"unrendered", std::move(unrendered)},
      {"warnings", std::move(said)},
  });
}

// As `train` cuts; of a model of an unknown family, or without a config, nothing is known.
int64_t positions_of(const std::string& model) {
  const std::string path = model + "/config.json";
  if (!std::filesystem::exists(path)) return INT64_MAX;
  const Json config = Json::parse_file(path);
  const Json* type = config.is_object() ? config.find("model_type") : nullptr;
  return type && type->is_text() && is_supported(type->as_text()) ? read_target_config(model).decoder.max_positions
                                                                  : INT64_MAX;
}

}  // namespace

void run_data(const DataCommand& command) {
  ConversationReader reader = ConversationReader::of_model(command.model, command.chat);
  if (!reader.tokenizer) reader.vocabulary = INT32_MAX;  // any token, of lines that hold tokens
  reader.max_tokens = std::min(command.max_tokens, positions_of(command.model));
  const Conversations data = survey_conversations(command.file, reader);
  const Figures figures = measure(command, reader, data);
  if (command.json) {
    fmt::print("{}\n", to_json(reader, data, figures).dump(2));
  } else {
    show(command, reader, data);
    print_table(reader, data, figures);
  }
  data.lines.expect_few(command.file, command.bad_lines);
}

}  // namespace eyrie
