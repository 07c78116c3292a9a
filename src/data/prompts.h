// data/prompts.h: prompts of JSONL files, ready for the target. One line is one of
//   {"prompt": TEXT}  or  {"question": TEXT, "answer": TEXT}         one user turn (GSM8K's form)
//   {"messages": […]}  or  {"conversations": […]}                    an assistant's last turn is left for the target to
//   write
//   {"input_ids": […]}                                               taken as they are; with "loss_mask" cut before the
//                                                                    last answer
// Errors: Error{file} at "path:line".
#pragma once
#include "data/conversations.h"

namespace eyrie {

struct Prompt {
  std::string id;
  std::vector<int32_t> ids;
  std::string question;  // the last user's words; empty for input_ids
  std::string answer;    // what a {"question", "answer"} line expects
};

// One user turn through the reader's chat template, generation prompt included; or the plain text (raw_prompts).
Prompt make_prompt(const ConversationReader& reader, const std::string& text);
std::vector<Prompt> read_prompts(const std::string& path, const ConversationReader& reader);

}  // namespace eyrie
