#include "text/chat_tokenizer.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

bool inside(const std::vector<JinjaOutput::Range>& ranges, size_t byte) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return byte >= range.begin && byte < range.end; });
}

// Whether `ids` goes on behind the first `count` of `first`.
bool goes_on(const std::vector<int32_t>& ids, const std::vector<int32_t>& first, size_t count) {
  return ids.size() > count &&
         std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(count), ids.begin());
}

// Whether every word of the content stands in the text, white space around it and its block of reasoning aside.
bool holds_content(std::string_view text, std::string_view content) {
  while (!content.empty()) {
    const size_t end = std::min(content.find("<think>"), content.find("</think>"));
    if (text.find(trim_white_space(content.substr(0, end))) == text.npos) return false;
    content = end == content.npos ? "" : content.substr(content.find('>', end) + 1);
  }
  return true;
}

// How many of the message's calls the text leaves out: it shows one by its name or its id.
int64_t lost_calls(const Json& message, const std::string& text, int64_t& calls) {
  int64_t lost = 0;
  calls = 0;
  if (!message.find("tool_calls")) return 0;
  for (const Json& call : message.array("tool_calls")) {
    const Json& function = call.find("function") ? call.at("function") : call;
    ++calls;
    const bool has_name = function.find("name") && text.find(function.text("name")) != text.npos;
    lost += !has_name && !(call.find("id") && text.find(call.text("id")) != text.npos);
  }
  return lost;
}

}  // namespace

struct ChatTokenizer::Context {
  std::string text;
  EncodedText tokens;
};

// The written part of a turn.
struct ChatTokenizer::Written : ChatSequence {
  size_t stop = 0;  // index of the stop token
};

ChatTokenizer::ChatTokenizer(Tokenizer tokenizer, ChatTemplate chat_template, std::vector<int32_t> config_stop_ids)
    : tokenizer_(std::move(tokenizer)), template_(std::move(chat_template)), stop_ids_(std::move(config_stop_ids)) {
  if (const std::string_view eos = template_.special_token("eos_token"); !eos.empty())
    add_stop(tokenizer_.token_id(eos));
  Conversation probe = user_turn("zebu");
  probe.messages.push_back(Json::object({{"role", "assistant"}, {"content", "amok"}}));
  try {
    const std::vector<int32_t> tail = tokenizer_.encode_with_offsets(TurnWriter(template_, probe, 1).tail(), true).ids;
    const auto added = std::find_if(tail.begin(), tail.end(), [&](int32_t id) { return tokenizer_.is_added(id); });
    if (added != tail.end()) add_stop(*added);
  } catch (const Error&) {  // a template that takes no such conversation says so of the data
  }
}

void ChatTokenizer::add_stop(std::optional<int32_t> id) {
  if (id && !is_stop(*id)) stop_ids_.push_back(*id);
}

bool ChatTokenizer::is_stop(int32_t id) const {
  return std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
}

// The span ends with its first stop token. Where the template writes none behind an answer, the token that would end it
// stands there: only its place counts, no supervised row reads it.
ChatTokenizer::Written ChatTokenizer::encode_written(const TurnWriter& writer, const ChatTurn& turn) const {
  EncodedText text = tokenizer_.encode_with_offsets(turn.written, true);
  Written written;
  const auto stop = std::find_if(text.ids.begin(), text.ids.end(), [&](int32_t id) { return is_stop(id); });
  written.stop = static_cast<size_t>(stop - text.ids.begin());
  if (stop == text.ids.end()) {
    std::string_view answer = writer.empty() ? std::string_view() : turn.written;
    if (const std::string tail = writer.tail(); answer.ends_with(tail)) answer.remove_suffix(tail.size());
    text = tokenizer_.encode_with_offsets(answer, true);
    const std::vector<int32_t> next = tokenizer_.encode_with_offsets(writer.next(), true).ids;
    if (stop_ids_.empty()) throw Error(ErrorKind::input, "", "the model names no stop token: no answer ends");
    text.ids.push_back(!next.empty() && is_stop(next[0]) ? next[0] : stop_ids_[0]);
    text.begin.push_back(answer.size());
    written.stop = text.ids.size() - 1;
  }
  written.ids = std::move(text.ids);
  written.loss_mask.assign(written.ids.size(), 0);
  for (size_t t = 0; t < written.stop; ++t)
    written.loss_mask[t] = !turn.generation || inside(*turn.generation, text.begin[t]);
  written.loss_mask[written.stop] = 1;
  return written;
}

// Tokens before an added token that is cut out of the text do not depend on what stands behind it: those that two
// contexts share are kept.
void ChatTokenizer::encode_context(const std::string& text, Context& context) const {
  const auto shared = static_cast<size_t>(
      std::mismatch(text.begin(), text.end(), context.text.begin(), context.text.end()).first - text.begin());
  auto& [ids, begin] = context.tokens;
  size_t kept = ids.size();
  while (kept > 0 && !(kept < ids.size() && begin[kept] <= shared && tokenizer_.is_cut_out(ids[kept - 1]))) --kept;
  kept -= kept > 0;  // the added token itself may be another now
  const size_t from = kept > 0 ? begin[kept] : 0;
  const EncodedText rest = tokenizer_.encode_with_offsets(std::string_view(text).substr(from));
  ids.resize(kept), begin.resize(kept);
  ids.insert(ids.end(), rest.ids.begin(), rest.ids.end());
  for (const size_t at : rest.begin) begin.push_back(from + at);
  context.text = text;
}

std::vector<ChatSequence> ChatTokenizer::encode(const Conversation& conversation, ChatCounts& counts) const {
  std::vector<ChatSequence> sequences;
  Context context;         // of the turn before
  size_t before_stop = 0;  // ids of the latest sequence up to but without its last stop token
  for (size_t i = 0; i < conversation.messages.size(); ++i) {
    if (!is_answer(conversation, i)) {
      counts.context_turns += role_of(conversation.messages[i]) == "assistant";
      continue;
    }
    const TurnWriter writer(template_, conversation, i);
    const ChatTurn turn = writer.write();
    int64_t calls = 0;
    if (const int64_t lost = lost_calls(conversation.messages[i], turn.written, calls); lost > 0) {
      counts.unrendered["tool call"] += lost;
      if (lost == calls && ++counts.context_turns) continue;  // what is left of it is no answer
    }
    encode_context(turn.context, context);
    std::vector<int32_t> ids = context.tokens.ids;
    const Written written = encode_written(writer, turn);
    if (sequences.empty() || !goes_on(ids, sequences.back().ids, before_stop)) {
      if (!sequences.empty()) counts.repeated_tokens += static_cast<int64_t>(ids.size());
      sequences.emplace_back();
    }
    ChatSequence& latest = sequences.back();
    latest.loss_mask.resize(std::min(latest.loss_mask.size(), before_stop + 1));
    latest.loss_mask.resize(ids.size());
    latest.ids = std::move(ids);
    before_stop = latest.ids.size() + written.stop;
    latest.ids.insert(latest.ids.end(), written.ids.begin(), written.ids.end());
    latest.loss_mask.insert(latest.loss_mask.end(), written.loss_mask.begin(), written.loss_mask.end());
    counts.empty_turns += written.stop == 0;
    count(conversation, i, writer, turn, counts);
  }
  count_line(conversation, counts);
  ++counts.conversations;
  counts.sequences += static_cast<int64_t>(sequences.size());
  return sequences;
}

void ChatTokenizer::count_line(const Conversation& conversation, ChatCounts& counts) const {
  if (!conversation.tools.is_null() && !template_.mentions("tools")) ++counts.unrendered["tools"];
  if (!conversation.documents.is_null() && !template_.mentions("documents")) ++counts.unrendered["documents"];
  for (const auto& [key, value] : conversation.arguments.as_members())
    if (ChatTemplate::is_reserved(key) || !template_.mentions(key)) ++counts.unrendered["chat_template_kwargs: " + key];
}

// What the turn and the messages that it answers hold, and whether its text shows it.
void ChatTokenizer::count(const Conversation& conversation, size_t index, const TurnWriter& writer,
                          const ChatTurn& turn, ChatCounts& counts) const {
  ++counts.turns[static_cast<size_t>(turn.rule)];
  counts.reasoning_turns += writer.reasons();
  counts.unopened_turns += turn.opened && !writer.reasons();
  counts.added_blocks += !turn.opened && !writer.reasons() && trim_white_space(turn.written).starts_with("<think>");
  size_t first = index;
  while (first > 0 && !is_answer(conversation, first - 1)) --first;
  for (size_t i = first; i <= index; ++i) {
    const Json& message = conversation.messages[i];
    const bool rewritten = i == index && turn.rule == SpanRule::open_block;  // as the message says, whatever W holds
    if (!rewritten && !holds_content(turn.whole, content_of(message)))
      ++counts.unrendered[fmt::format("content of {}", role_of(message))];
    for (const auto& [key, value] : message.as_members()) {
      const bool reasoning = key == "reasoning_content";
      const bool known =
          key == "role" || key == "content" || template_.mentions(key) ||
          (reasoning && (rewritten || template_.mentions("reasoning") || template_.mentions("thinking")));
      if (!known) ++counts.unrendered[key];
    }
  }
}

std::vector<int32_t> ChatTokenizer::prompt(const Conversation& conversation) const {
  const Json::Array& messages = conversation.messages;
  std::string text;
  if (const std::string_view last = role_of(messages.back()); last == "user" || last == "tool") {
    text = template_.render(conversation, messages, true, std::nullopt).text;
  } else {
    size_t index = messages.size();
    while (index > 0 && !is_answer(conversation, index - 1)) --index;
    if (index == 0) return {};
    text = TurnWriter(template_, conversation, index - 1).context();
  }
  return tokenizer_.encode_with_offsets(text).ids;
}

}  // namespace eyrie
