// app/serving.h: a target, perhaps its draft, and what turns text into their ids: what `generate`, `demo` and the
// accept length of `train` share.
#pragma once
#include <memory>
#include <optional>

#include "data/prompts.h"
#include "model/draft.h"
#include "speculative/generate.h"

namespace eyrie {

struct ServedModels {
  Target target;
  std::optional<Draft> draft;
  ConversationReader reader;
};
// `draft_directory` may be empty. `tap_ids`, when given, replace the draft's own. Logs which taps are read.
ServedModels load_served_models(const std::string& model_directory, const std::string& draft_directory,
                                const ChatOptions& chat, const std::vector<int64_t>& tap_ids = {});

// Says which chat template was taken, if any was.
void log_template(const ConversationReader& reader);

// Text of the ids as they come; `write` gets whole characters. Special tokens are left out.
TextStream text_stream(const Tokenizer& tokenizer, std::function<void(std::string_view)> write = {});

}  // namespace eyrie
