// data/prompts.h: prompts of JSONL files, ready for the target. One line is one of
//   {"prompt": TEXT}  or  {"question": TEXT, "answer": TEXT}         one user turn (GSM8K's form; a number is its text)
//   {"turns": [TEXT, …]}                                             the first of them, a user's (MT-bench's form)
//   {"messages": […]}, {"conversations": […]} or {"prompt": […]}     an assistant's last turn is left for the target to
//                                                                    write (spec §11)
//   {"input_ids": […]}                                               taken as they are; with "loss_mask" cut before the
//                                                                    last answer
#pragma once
#include "data/conversations.h"

namespace eyrie {

struct Prompt {
  std::string id;
  std::vector<int32_t> ids = {};
  std::string question = {};  // the last user's words; empty for input_ids
  std::string answer = {};    // what a {"question", "answer"} line expects
  std::string place = {};     // "path:line"; empty without a file
  std::string error = {};     // why the line is no prompt, behind its place: it has no ids then
};

// One user turn through the reader's chat template, generation prompt included; or the plain text (raw_prompts).
Prompt make_prompt(const ConversationReader& reader, const std::string& text);
// Every line, those that are no prompt with their error.
std::vector<Prompt> read_all_prompts(const std::string& path, const ConversationReader& reader);
// The lines that are prompts. Error{file} when more than the reader's bad_lines are none, or all are.
std::vector<Prompt> read_prompts(const std::string& path, const ConversationReader& reader);

}  // namespace eyrie
