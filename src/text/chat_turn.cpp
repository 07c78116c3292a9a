#include "text/chat_turn.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

constexpr const char* kWords[] = {"zebu", "amok"};  // they share no letter
constexpr std::string_view kThinkEnd = "</think>";

const Json kPlain = Json::object({{"role", "assistant"}, {"content", ""}});  // a turn to fill with a word

// The name of the tag that a text ends in, white space aside: "think" of "…<think>\n". Empty: it ends in none.
std::string_view open_tag(std::string_view text) {
  text = trim_white_space(text, false, true);
  const size_t begin = text.rfind('<');
  if (begin == text.npos || !text.ends_with('>')) return "";
  const std::string_view name = text.substr(begin + 1, text.size() - begin - 2);
  const auto is_word = [](char c) { return std::isalnum(static_cast<uint8_t>(c)) || c == '_' || c == '-'; };
  return std::all_of(name.begin(), name.end(), is_word) ? name : "";
}

// The content less the opening of its block, with which the prompt already ends.
std::string_view without_opening(std::string_view content, std::string_view prompt, std::string_view tag) {
  const std::string opening = fmt::format("<{}>", tag);
  const std::string_view begin = trim_white_space(content, true, false);
  if (!begin.starts_with(opening)) return content;
  content = begin.substr(opening.size());
  std::string_view spaces = prompt.substr(trim_white_space(prompt, false, true).size());
  return content.starts_with(spaces) ? content.substr(spaces.size()) : content;
}

// In a field or before the content's </think>; empty: none, or a blank one.
std::string_view thought_of(const Json& turn) {
  if (const std::string_view field = trim_white_space(reasoning_of(turn)); !field.empty()) return field;
  const size_t end = content_of(turn).find(kThinkEnd);
  std::string_view inside = end == std::string_view::npos ? "" : content_of(turn).substr(0, end);
  if (const size_t begin = inside.rfind("<think>"); begin != inside.npos) inside.remove_prefix(begin + 7);
  return trim_white_space(inside);
}

}  // namespace

bool is_answer(const Conversation& conversation, size_t index) {
  if (index == 0 || role_of(conversation.messages[index]) != "assistant") return false;
  const std::string_view before = role_of(conversation.messages[index - 1]);
  return before == "user" || before == "tool";
}

TurnWriter::TurnWriter(const ChatTemplate& chat_template, const Conversation& conversation, size_t index)
    : template_(chat_template),
      conversation_(conversation),
      index_(index),
      turn_(conversation.messages[index]),
      thought_(thought_of(turn_)),
      reasons_(!thought_.empty()),
      before_(conversation.messages.begin(), conversation.messages.begin() + static_cast<std::ptrdiff_t>(index)) {}

bool TurnWriter::empty() const { return content_of(turn_).empty() && !turn_.find("tool_calls") && !reasons_; }

std::string TurnWriter::context() const { return template_.render(conversation_, before_, true, reasons_).text; }

std::string TurnWriter::with_turn(const Json& turn, const char* word, const Json* next) const {
  Json::Array messages = before_;
  messages.push_back(Json(turn).set("content", word));
  if (next) messages.push_back(*next);
  return template_.render(conversation_, messages, false, reasons_).text;
}

std::string TurnWriter::shared_end(const Json& turn, const Json* next) const {
  const std::string first = with_turn(turn, kWords[0], next), second = with_turn(turn, kWords[1], next);
  return {std::mismatch(first.rbegin(), first.rend(), second.rbegin(), second.rend()).first.base(), first.end()};
}

std::string TurnWriter::tail() const { return shared_end(kPlain, nullptr); }

std::string TurnWriter::next() const {
  const bool last = index_ + 1 == conversation_.messages.size();
  const Json following = last ? user_turn(kWords[0]).messages[0] : conversation_.messages[index_ + 1];
  try {
    // The result of a tool needs its call before it.
    const std::string behind = shared_end(role_of(following) == "tool" ? turn_ : kPlain, &following), end = tail();
    return behind.starts_with(end) ? behind.substr(end.size()) : behind;
  } catch (const Error&) {
    return "";  // a template may refuse that order of roles
  }
}

// What W shares with the same turn of other words, in bytes: texts that differ in a word of ASCII letters differ at
// whole characters.
size_t TurnWriter::shared_begin(const std::string& whole) const {
  auto end = whole.end();
  for (const char* word : kWords) {
    const std::string other = with_turn(kPlain, word, nullptr);
    end = std::mismatch(whole.begin(), end, other.begin(), other.end()).first;
  }
  return static_cast<size_t>(end - whole.begin());
}

// What W writes behind the answer's last words: tool calls stand there too.
std::string TurnWriter::behind_answer(const std::string& whole) const {
  if (!turn_.find("tool_calls")) return tail();
  std::string_view answer = content_of(turn_);
  if (const size_t end = answer.rfind(kThinkEnd); end != answer.npos) answer.remove_prefix(end + kThinkEnd.size());
  answer = trim_white_space(answer, true, true);
  const size_t at = whole.find(answer, shared_begin(whole));
  return at == whole.npos ? tail() : whole.substr(at + answer.size());
}

std::optional<std::string> TurnWriter::open_block(const std::string& context, const std::string& whole) const {
  const std::string_view tag = open_tag(context), content = content_of(turn_), reasoning = reasoning_of(turn_);
  if (tag.empty()) return std::nullopt;
  const std::string end = fmt::format("</{}>", tag);
  if (content.find(end) != content.npos)
    return std::string(without_opening(content, context, tag)) + behind_answer(whole);
  if (!trim_white_space(reasoning).empty() && whole.find(thought_, shared_begin(whole)) == whole.npos)
    return fmt::format("{}\n{}\n\n{}{}", reasoning, end, content, behind_answer(whole));
  return std::nullopt;
}

ChatTurn TurnWriter::write() const {
  ChatTurn turn;
  Json::Array messages = before_;
  messages.push_back(turn_);
  const JinjaOutput whole = template_.render(conversation_, messages, false, reasons_);
  turn.context = context();
  turn.opened = !open_tag(turn.context).empty();
  turn.whole = whole.text;
  const bool goes_on = whole.text.starts_with(turn.context);
  // A prompt that opens a block, and a turn that closes it without the thought: the model would have written that.
  const bool loses_thought = turn.opened && whole.text.find(thought_, turn.context.size()) == whole.text.npos;
  if (!goes_on || loses_thought) {
    if (auto written = open_block(turn.context, whole.text)) {
      turn.rule = SpanRule::open_block;
      turn.written = std::move(*written);
      return turn;
    }
  }
  if (!goes_on) {
    turn.rule = SpanRule::common;
    turn.context = whole.text.substr(0, shared_begin(whole.text));
  }
  const size_t begin = turn.context.size();
  turn.written = whole.text.substr(begin);
  if (!whole.generation.empty()) turn.generation.emplace();
  for (const auto& range : whole.generation)
    if (range.end > begin) turn.generation->push_back({std::max(range.begin, begin) - begin, range.end - begin});
  return turn;
}

}  // namespace eyrie
