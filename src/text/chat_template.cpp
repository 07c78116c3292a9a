#include "text/chat_template.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

constexpr std::string_view kThinkBegin = "<think>", kThinkEnd = "</think>";

Error wrong_message(size_t index, const std::string& message) {
  return {ErrorKind::input, fmt::format("message {}", index + 1), message};
}

// An optional system message, then user and assistant in turn; the user begins.
void check_roles(std::span<const Message> messages, bool add_generation_prompt) {
  const size_t first = !messages.empty() && messages[0].role == "system" ? 1 : 0;
  if (messages.size() == first) throw Error(ErrorKind::input, "", "the conversation has no user message");
  for (size_t i = first; i < messages.size(); ++i) {
    const char* expected = (i - first) % 2 == 0 ? "user" : "assistant";
    if (messages[i].role != expected)
      throw wrong_message(i, fmt::format("expected role {}, found \"{}\"", expected, messages[i].role));
  }
  if (add_generation_prompt && messages.back().role != "user")
    throw wrong_message(messages.size() - 1, "expected a user message before the generation prompt");
}

void check_contents(std::span<const Message> messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const size_t offset = first_invalid_byte(messages[i].content);
    if (offset != kAllValid) throw wrong_message(i, fmt::format("content is not UTF-8 at byte {}", offset));
  }
}

// The tokens that a template's text must come out as.
void check_tokens(const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  for (const std::string_view token : {chat_template.bos, chat_template.stop_token}) {
    const auto id = tokenizer.token_id(token);
    if (!token.empty() && !(id && tokenizer.is_added(*id)))
      throw Error(ErrorKind::file, "tokenizer.json",
                  fmt::format("expected the token {} of chat template {}, found none", token, chat_template.name));
  }
}

// Python's str.strip, which templates use: White_Space and the four separators U+001C to U+001F.
std::string_view strip(std::string_view text) {
  const auto is_space = [](uint32_t point) { return is_white_space(point) || (point >= 0x1C && point <= 0x1F); };
  while (!text.empty() && is_space(code_point_at(text, 0).value)) text.remove_prefix(code_point_at(text, 0).bytes);
  while (!text.empty() && is_space(code_point_before(text, text.size()).value))
    text.remove_suffix(code_point_before(text, text.size()).bytes);
  return text;
}

std::string_view strip_newlines(std::string_view text, bool left, bool right) {
  while (left && text.starts_with('\n')) text.remove_prefix(1);
  while (right && text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

struct Answer {
  std::string_view reasoning, content;
};

// "<think>reasoning</think>content", as Qwen3's template takes it apart.
Answer split_reasoning(std::string_view content) {
  const size_t end = content.find(kThinkEnd);
  if (end == content.npos) return {"", content};
  std::string_view reasoning = content.substr(0, end);
  const size_t begin = reasoning.rfind(kThinkBegin);
  if (begin != reasoning.npos) reasoning.remove_prefix(begin + kThinkBegin.size());
  content.remove_prefix(content.rfind(kThinkEnd) + kThinkEnd.size());
  return {strip_newlines(reasoning, true, true), strip_newlines(content, true, false)};
}

// The user message that the turns at the end answer; results of tools are no question.
size_t last_question(std::span<const Message> messages) {
  for (size_t i = messages.size(); i-- > 0;) {
    const Message& message = messages[i];
    const bool tool_result =
        message.content.starts_with("<tool_response>") && message.content.ends_with("</tool_response>");
    if (message.role == "user" && !tool_result) return i;
  }
  return messages.size() - 1;
}

class Renderer {
 public:
  Renderer(const ChatTemplate& chat_template, std::span<const Message> messages)
      : template_(chat_template), messages_(messages), last_question_(last_question(messages)) {}

  void run(bool add_generation_prompt) {
    text += template_.bos;
    if (messages_[0].role != "system" && template_.system_default) turn(template_.system, *template_.system_default);
    for (size_t i = 0; i < messages_.size(); ++i) message(i);
    if (add_generation_prompt) text += template_.generation_prompt;
  }

  std::string text;
  struct Span {
    size_t begin, end;
  };
  std::vector<Span> spans;  // bytes that the target generates

 private:
  void turn(const RoleFormat& format, std::string_view content) {
    text.append(format.prefix).append(format.trim ? strip(content) : content).append(format.suffix);
  }

  void message(size_t index) {
    const Message& current = messages_[index];
    if (current.role == "assistant") return answer(index);
    if (current.role == "user") return user(index);
    if (template_.system_place == SystemPlace::own_turn) turn(template_.system, current.content);
  }

  void user(size_t index) {
    const bool with_system = template_.system_place == SystemPlace::last_user && index + 1 == messages_.size() &&
                             messages_[0].role == "system";
    if (!with_system) return turn(template_.user, messages_[index].content);
    text += template_.user.prefix;
    turn(template_.system, messages_[0].content);
    text.append(messages_[index].content).append(template_.user.suffix);
  }

  // What follows the generation prompt is the target's own; a turn rendered without all of that prompt (no think block)
  // begins behind its header.
  void answer(size_t index) {
    const size_t begin = text.size();
    turn(template_.assistant,
         template_.reasoning == Reasoning::qwen3 ? qwen3_content(index) : messages_[index].content);
    const bool prompted = std::string_view(text).substr(begin).starts_with(template_.generation_prompt);
    const size_t prompt = (prompted ? template_.generation_prompt : template_.assistant.prefix).size();
    spans.push_back({begin + prompt, text.size() - template_.assistant.suffix.size() + template_.stop_token.size()});
  }

  std::string qwen3_content(size_t index) const {
    const auto [reasoning, content] = split_reasoning(messages_[index].content);
    const bool last = index + 1 == messages_.size();
    if (index < last_question_ || (!last && reasoning.empty())) return std::string(content);
    return fmt::format("{}\n{}\n{}\n\n{}", kThinkBegin, reasoning, kThinkEnd, strip_newlines(content, true, false));
  }

  const ChatTemplate& template_;
  std::span<const Message> messages_;
  size_t last_question_;
};

}  // namespace

EncodedChat encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::span<const Message> messages, bool add_generation_prompt) {
  check_roles(messages, add_generation_prompt);
  check_contents(messages);
  check_tokens(tokenizer, chat_template);
  Renderer renderer(chat_template, messages);
  renderer.run(add_generation_prompt);

  EncodedText encoded = tokenizer.encode_with_offsets(renderer.text);
  std::vector<uint8_t> loss_mask(encoded.ids.size());
  for (const auto& span : renderer.spans) {
    const auto first = std::lower_bound(encoded.begin.begin(), encoded.begin.end(), span.begin);
    const auto end = std::lower_bound(first, encoded.begin.end(), span.end);
    std::fill(loss_mask.begin() + (first - encoded.begin.begin()), loss_mask.begin() + (end - encoded.begin.begin()),
              1);
  }
  return {std::move(encoded.ids), std::move(loss_mask), std::move(renderer.text)};
}

}  // namespace eyrie
