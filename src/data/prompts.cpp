#include "data/prompts.h"

#include "base/error.h"

namespace eyrie {
namespace {

Prompt prompt_of(const ConversationReader& reader, std::vector<Message> messages) {
  if (!messages.empty() && messages.back().role == "assistant") messages.pop_back();
  if (messages.empty()) throw Error(ErrorKind::file, "", "the conversation has no turn to answer");
  if (!reader.tokenizer) throw Error(ErrorKind::file, "", "expected \"input_ids\": the model has no tokenizer.json");
  Prompt prompt;
  prompt.question = messages.back().content;
  if (reader.raw_prompts)
    prompt.ids = reader.tokenizer->encode(prompt.question, true);
  else if (reader.chat_template)
    prompt.ids = encode_chat(*reader.tokenizer, *reader.chat_template, messages, true).ids;
  else
    throw Error(ErrorKind::file, "", reader.template_rule);
  return prompt;
}

// A training line ends in an answer: the prompt is what stands before its last run of 1s.
void cut_last_answer(const Json::Array& loss_mask, std::vector<int32_t>& ids) {
  if (loss_mask.size() != ids.size())
    throw Error(ErrorKind::file, "loss_mask",
                "expected " + std::to_string(ids.size()) + " entries, found " + std::to_string(loss_mask.size()));
  size_t end = ids.size();
  while (end > 0 && loss_mask[end - 1].as_integer(0, 1) == 0) --end;
  while (end > 0 && loss_mask[end - 1].as_integer(0, 1) == 1) --end;
  if (end == 0) throw Error(ErrorKind::file, "loss_mask", "nothing stands before the answer");
  ids.resize(end);
}

Prompt read_prompt(const Json& line, const ConversationReader& reader) {
  Prompt prompt;
  if (line.find("input_ids")) {
    for (const Json& id : line.array("input_ids"))
      prompt.ids.push_back(static_cast<int32_t>(id.as_integer(0, reader.vocabulary - 1)));
    if (line.find("loss_mask")) cut_last_answer(line.array("loss_mask"), prompt.ids);
  } else if (auto messages = read_messages(line)) {
    prompt = prompt_of(reader, std::move(*messages));
  } else {
    prompt = prompt_of(reader, {{"user", line.text(line.find("prompt") ? "prompt" : "question")}});
  }
  if (line.find("answer")) prompt.answer = line.text("answer");
  if (const Json* id = line.find("id")) prompt.id = id->is_text() ? id->as_text() : id->dump();
  return prompt;
}

}  // namespace

Prompt make_prompt(const ConversationReader& reader, const std::string& text) {
  return prompt_of(reader, {{"user", text}});
}

std::vector<Prompt> read_prompts(const std::string& path, const ConversationReader& reader) {
  std::vector<Prompt> prompts;
  for_each_json_line(path, [&](const Json& line) { prompts.push_back(read_prompt(line, reader)); });
  if (prompts.empty()) throw Error(ErrorKind::file, path, "holds no prompt");
  return prompts;
}

}  // namespace eyrie
