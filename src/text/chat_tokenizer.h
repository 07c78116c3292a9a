// text/chat_tokenizer.h: conversations as the tokens that the model itself sees when it is served, with those that it
// writes marked (spec §11).
//
//   a turn's ids = the tokens of its context ++ the tokens of what it writes, as they go on behind it (chat_turn.h)
//   its span     = from the first written token to the first stop token
//   a turn goes on in the latest sequence when its context begins with all ids of that up to its last stop token; else
//   it begins a sequence of its own
//
// Content that spells an added token becomes that token, as in apply_chat_template: a server that takes content from
// strangers must look for that before.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "text/chat_turn.h"
#include "text/tokenizer.h"

namespace eyrie {

struct ChatSequence {
  std::vector<int32_t> ids;
  std::vector<uint8_t> loss_mask;  // [ids] 1: written by the model, its stop token included
};

// What happened to conversations on their way to tokens.
struct ChatCounts {
  int64_t conversations = 0, sequences = 0;
  std::array<int64_t, 3> turns = {};          // supervised, by SpanRule
  int64_t context_turns = 0;                  // assistant's turns that nothing asks for: context alone
  int64_t reasoning_turns = 0;                // rendered as thinking; the others as not
  int64_t unopened_turns = 0;                 // without reasoning behind a prompt that always opens a block for it
  int64_t added_blocks = 0;                   // begun by a block that neither prompt nor data holds
  int64_t empty_turns = 0;                    // nothing but a stop token
  int64_t repeated_tokens = 0;                // of contexts that stand once more, in a sequence of their own
  std::map<std::string, int64_t> unrendered;  // what the data holds and the text does not: "content of a user" …

  int64_t supervised_turns() const { return turns[0] + turns[1] + turns[2]; }
};

class ChatTokenizer {
 public:
  // `config_stop_ids`: the eos_token_id of the model's config files.
  ChatTokenizer(Tokenizer tokenizer, ChatTemplate chat_template, std::vector<int32_t> config_stop_ids);

  // Every turn that can be supervised, in as few sequences as it takes; none without such a turn. Errors: Error{input}.
  std::vector<ChatSequence> encode(const Conversation& conversation, ChatCounts& counts) const;
  // What the model is given: the context of the last assistant's turn, or the whole where a user's or tool's is last.
  // Empty where there is no such turn.
  std::vector<int32_t> prompt(const Conversation& conversation) const;

  const ChatTemplate& chat_template() const { return template_; }
  // The config's, the tokenizer config's eos_token, and the first added token behind a last assistant's turn.
  const std::vector<int32_t>& stop_ids() const { return stop_ids_; }

 private:
  struct Context;
  struct Written;
  void encode_context(const std::string& text, Context& context) const;
  Written encode_written(const TurnWriter& writer, const ChatTurn& turn) const;
  void add_stop(std::optional<int32_t> id);
  bool is_stop(int32_t id) const;
  void count_line(const Conversation& conversation, ChatCounts& counts) const;
  void count(const Conversation& conversation, size_t index, const TurnWriter& writer, const ChatTurn& turn,
             ChatCounts& counts) const;

  Tokenizer tokenizer_;
  ChatTemplate template_;
  std::vector<int32_t> stop_ids_;
};

}  // namespace eyrie
