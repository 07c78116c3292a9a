// text/chat_turn.h: an assistant's turn as text: what the model is given and what it writes behind it (spec §11).
//
//   C = the messages before the turn with a generation prompt, W = those up to the turn without one
//   a  W begins with C                                          context C, written: the rest of W
//   b  C ends in a tag that opens a block (<think>), and the    context C, written: the turn as the model wrote it,
//      turn holds that block though W does not (also where      its block included, then the tail
//      W begins with C: it would lose the thought)
//   c  else                                                     context: what W shares with the same turn of other
//                                                               words; written: the rest of W
//   tail = what the template writes behind any content: the common suffix of the turn with two different words
#pragma once
#include <optional>
#include <string>

#include "text/chat_template.h"

namespace eyrie {

enum class SpanRule { prompt, open_block, common };  // a, b, c

struct ChatTurn {
  SpanRule rule = SpanRule::prompt;
  std::string context, written;
  std::string whole;  // W
  // Bytes of `written` inside {% generation %} blocks; nothing: the template marks none.
  std::optional<std::vector<JinjaOutput::Range>> generation;
  bool opened = false;  // C ends in a tag that opens a block
};

// Whether the conversation has an assistant's turn there with a user's or tool's message right before it: others are
// context alone.
bool is_answer(const Conversation& conversation, size_t index);

class TurnWriter {
 public:
  TurnWriter(const ChatTemplate& chat_template, const Conversation& conversation, size_t index);
  std::string context() const;  // C
  ChatTurn write() const;
  std::string tail() const;
  // What the template writes behind the tail when the conversation goes on: with its own next message, or a user's.
  // Empty where it refuses to.
  std::string next() const;
  bool empty() const;                        // it holds no content, call or reasoning
  bool reasons() const { return reasons_; }  // the turn holds reasoning, in a field or in its content

 private:
  // W with `word` for the turn's content, and the text's end that no word changes; `next`: a message behind it, or
  // null.
  std::string with_turn(const Json& turn, const char* word, const Json* next) const;
  std::string shared_end(const Json& turn, const Json* next) const;
  size_t shared_begin(const std::string& whole) const;
  std::optional<std::string> open_block(const std::string& context, const std::string& whole) const;
  std::string behind_answer(const std::string& whole) const;

  const ChatTemplate& template_;
  const Conversation& conversation_;
  const size_t index_;
  const Json& turn_;
  std::string_view thought_;
  bool reasons_;
  Json::Array before_;
};

}  // namespace eyrie
