#include "text/added_tokens.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "io/json.h"
#include "text/unicode.h"

namespace eyrie {

void TokenTrie::add(std::string_view text, size_t token) {
  uint32_t node = 0;
  begins_[static_cast<uint8_t>(text[0])] = true;
  for (const char c : text) {
    const uint64_t edge = uint64_t{node} << 8 | static_cast<uint8_t>(c);
    const auto [next, is_new] = next_.try_emplace(edge, static_cast<uint32_t>(token_of_.size()));
    if (is_new) token_of_.push_back(kNone);
    node = next->second;
  }
  token_of_[node] = token;
}

std::optional<TokenTrie::Match> TokenTrie::longest_at(std::string_view text, size_t offset) const {
  if (!begins_[static_cast<uint8_t>(text[offset])]) return std::nullopt;
  std::optional<Match> longest;
  uint32_t node = 0;
  for (size_t at = offset; at < text.size(); ++at) {
    const auto next = next_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[at]));
    if (next == next_.end()) break;
    node = next->second;
    if (token_of_[node] != kNone) longest = Match{at + 1 - offset, token_of_[node]};
  }
  return longest;
}

namespace {

AddedToken read_token(const Json& json) {
  return {.content = json.text("content"),
          .id = static_cast<int32_t>(json.integer("id", 0, kMaxTokenId)),
          .single_word = json.boolean("single_word"),
          .lstrip = json.boolean("lstrip"),
          .rstrip = json.boolean("rstrip"),
          .normalized = json.boolean("normalized"),
          .special = json.boolean("special")};
}

std::string normalized_content(const AddedToken& token, const Normalizer& normalizer) {
  AlignedText content = AlignedText::of_input(token.content, 0);
  normalizer(content);
  return content.text;
}

Error bad_token(const AddedToken& token, const std::string& message) {
  return {ErrorKind::file, "", fmt::format("added token \"{}\": {}", token.content, message)};
}

}  // namespace

AddedTokens::AddedTokens(const Json* list, const Vocabulary& model, const Normalizer& normalizer) {
  if (!list) return;
  int32_t next_id = model.count();
  int others = 0;
  std::string first_other;
  for (const Json& json : list->as_array()) {
    AddedToken token = read_token(json);
    const auto known = model.find(token.content);
    if (token.content.empty()) throw bad_token(token, "has no text");
    const int32_t written_id = std::exchange(token.id, known ? *known : next_id++);
    if (token.id != written_id && others++ == 0)
      first_other = fmt::format("\"{}\" is {}, not {}", token.content, token.id, written_id);
    if (!known && model.has(token.id))
      throw bad_token(token, fmt::format("id {} is the model's \"{}\"", token.id, model.text(token.id)));
    if (!by_content_.emplace(token.content, tokens_.size()).second) throw bad_token(token, "stands twice");
    by_id_.emplace(token.id, tokens_.size());
    end_id_ = std::max(end_id_, token.id + 1);
    token.pattern = token.normalized ? normalized_content(token, normalizer) : token.content;
    if (!token.pattern.empty()) (token.normalized ? normalized_ : raw_).add(token.pattern, tokens_.size());
    tokens_.push_back(std::move(token));
  }
  if (others > 0)
    log_warning(
        fmt::format("tokenizer.json: {} added tokens get other ids than it says, those that Hugging Face's "
                    "tokenizers gives them: {}{}",
                    others, first_other, others > 1 ? ", …" : ""));
}

std::optional<TextCut> AddedTokens::accept(std::string_view text, size_t offset, const TokenTrie::Match& match,
                                           size_t cut_end) const {
  const AddedToken& token = tokens_[match.token];
  size_t begin = offset, end = offset + match.bytes;
  if (token.single_word && ((begin > 0 && is_word(code_point_before(text, begin).value)) ||
                            (end < text.size() && is_word(code_point_at(text, end).value))))
    return std::nullopt;
  if (token.lstrip) begin = std::max(cut_end, trim_white_space(text.substr(0, begin), false, true).size());
  if (token.rstrip) end = text.size() - trim_white_space(text.substr(end), true, false).size();
  return TextCut{begin, end, token.id};
}

std::vector<TextCut> AddedTokens::cut(std::string_view text, bool normalized) const {
  const TokenTrie& trie = normalized ? normalized_ : raw_;
  std::vector<TextCut> cuts;
  size_t cut_end = 0;
  for (size_t offset = 0; offset < text.size();) {
    const auto match = trie.longest_at(text, offset);
    if (!match) {
      ++offset;
      continue;
    }
    if (const auto token = accept(text, offset, *match, cut_end)) {
      if (cut_end < token->begin) cuts.push_back({cut_end, token->begin, std::nullopt});
      cuts.push_back(*token);
      cut_end = token->end;
    }
    offset += match->bytes;
  }
  if (cut_end < text.size()) cuts.push_back({cut_end, text.size(), std::nullopt});
  return cuts;
}

const AddedToken* AddedTokens::find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

}  // namespace eyrie
