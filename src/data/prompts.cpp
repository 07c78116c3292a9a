#include "data/prompts.h"

#include <fmt/core.h>

#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"

namespace eyrie {
namespace {

Prompt prompt_of(const ConversationReader& reader, const Conversation& conversation) {
  Prompt prompt;
  for (const Json& message : conversation.messages)
    if (role_of(message) == "user") prompt.question = content_of(message);
  prompt.ids = reader.raw_prompts ? reader.expect_tokenizer().encode(prompt.question, true)
                                  : reader.expect_chat().prompt(conversation);
  return prompt;
}

// A training line ends in an answer: the prompt is what stands before its last run of 1s; nothing where none does.
void cut_last_answer(const Json::Array& loss_mask, std::vector<int32_t>& ids) {
  if (loss_mask.size() != ids.size())
    throw Error(ErrorKind::file, "loss_mask",
                fmt::format("expected {} entries, found {}", ids.size(), loss_mask.size()));
  size_t end = ids.size();
  while (end > 0 && !mask_bit(loss_mask[end - 1])) --end;
  while (end > 0 && mask_bit(loss_mask[end - 1])) --end;
  ids.resize(end);
}

// The line as one with "messages", whatever it calls its question.
Json with_messages(const Json& line) {
  const auto ask = [&](const Json& question) {
    Json asked = line;
    return asked.set("messages", Json::Array{Json::object({{"role", "user"}, {"content", question.as_text()}})});
  };
  const Json* prompt = line.find("prompt");
  if (prompt && prompt->is_array()) return Json(line).set("messages", *prompt);
  if (prompt) return ask(*prompt);
  if (const Json* question = line.find("question")) return ask(*question);
  if (line.find("turns") && !line.array("turns").empty()) return ask(line.array("turns")[0]);
  if (line.find("messages") || line.find("conversations")) return line;
  throw Error(ErrorKind::file, "",
              "expected one of \"prompt\", \"question\", \"turns\", \"messages\", \"conversations\" and \"input_ids\"");
}

Prompt read_prompt(const Json& line, const ConversationReader& reader) {
  Prompt prompt;
  if (line.find("input_ids")) {
    for (const Json& id : line.array("input_ids"))
      at_place("input_ids",
               [&] { prompt.ids.push_back(static_cast<int32_t>(id.as_integer(0, reader.vocabulary - 1))); });
    if (line.find("loss_mask")) cut_last_answer(line.array("loss_mask"), prompt.ids);
  } else {
    prompt = prompt_of(reader, *read_conversation(with_messages(line)));
  }
  if (const Json* answer = line.find("answer")) prompt.answer = text_or_json(*answer);
  return prompt;
}

// MT-bench's second question needs the answer to the first.
bool asks_again(const Json& line) {
  const Json* turns = line.find("turns");
  return turns && turns->is_array() && turns->as_array().size() > 1;
}

// `lines`: what was found of unfit ones.
std::vector<Prompt> read_lines(const std::string& path, const ConversationReader& reader, UnfitLines& lines) {
  std::vector<Prompt> prompts;
  int64_t asked_again = 0;
  std::string id;  // of the line at hand, once it is read
  lines = for_each_fit_line(
      path,
      [&](const Json& line, int64_t number) {
        const Json* found = line.find("id") ? line.find("id") : line.find("question_id");  // MT-bench's
        id = found ? text_or_json(*found) : "";
        Prompt prompt = read_prompt(line, reader);
        prompt.id = std::exchange(id, "");
        prompt.place = place_of_line(path, number);
        asked_again += asks_again(line) ? 1 : 0;
        if (prompt.ids.empty()) prompt.error = prompt.place + ": holds no turn to answer";
        prompts.push_back(std::move(prompt));
      },
      [&](const std::string& why) { prompts.push_back({.id = std::exchange(id, ""), .error = why}); });
  if (prompts.empty()) throw Error(ErrorKind::file, path, "holds no prompt");
  if (asked_again > 0)
    log_info(fmt::format("{}: {} of {} have a second turn; only the first is asked", path, asked_again,
                         counted(std::ssize(prompts), "prompt")));
  return prompts;
}

}  // namespace

Prompt make_prompt(const ConversationReader& reader, const std::string& text) {
  return prompt_of(reader, user_turn(text));
}

std::vector<Prompt> read_all_prompts(const std::string& path, const ConversationReader& reader) {
  UnfitLines lines;
  return read_lines(path, reader, lines);
}

std::vector<Prompt> read_prompts(const std::string& path, const ConversationReader& reader) {
  UnfitLines lines;
  std::vector<Prompt> prompts = read_lines(path, reader, lines);
  lines.expect_few(path, reader.bad_lines);
  const auto left_out =
      static_cast<int64_t>(std::erase_if(prompts, [](const Prompt& prompt) { return !prompt.error.empty(); }));
  if (left_out > lines.unfit)
    log_info(fmt::format("{}: {} no turn to answer: left out", path,
                         counted(left_out - lines.unfit, "line holds", "lines hold")));
  return prompts;
}

}  // namespace eyrie
