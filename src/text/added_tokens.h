// text/added_tokens.h: tokens that are cut out of the text before it is normalized (or, those marked normalized, before
// it is cut into words). Matching is leftmost-longest, without overlap. A match may be refused (single_word: a word
// character stands beside it) and then its text is plain; it may take the white space around it (lstrip, rstrip).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/pipeline.h"
#include "text/vocabulary.h"

namespace eyrie {

struct AddedToken {
  std::string content;
  std::string pattern = {};  // what is looked for and what decoders get: the content, normalized when the token is
  int32_t id = 0;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

// A part of a text: an added token, or plain text.
struct TextCut {
  size_t begin, end;
  std::optional<int32_t> id;
};

// Strings by their bytes; finds the longest that begins at an offset.
class TokenTrie {
 public:
  struct Match {
    size_t bytes;
    size_t token;
  };
  void add(std::string_view text, size_t token);
  std::optional<Match> longest_at(std::string_view text, size_t offset) const;

 private:
  static constexpr size_t kNone = SIZE_MAX;
  std::vector<size_t> token_of_ = {kNone};             // [node]
  std::unordered_map<uint64_t, uint32_t> next_;        // node << 8 | byte -> node
  std::vector<bool> begins_ = std::vector<bool>(256);  // [byte] whether any string begins so
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Reads the list. A token of the model keeps its id there; new ones follow the model's, in order, whatever ids the
  // file says (gaps are closed): so does Hugging Face's library, and models are trained on its ids. One warning names
  // the first that differs.
  AddedTokens(const Json* list, const Vocabulary& model, const Normalizer& normalizer);

  // The text in order, without empty parts. `normalized` says which of the tokens are looked for.
  std::vector<TextCut> cut(std::string_view text, bool normalized) const;

  const AddedToken* find(int32_t id) const;
  const AddedToken* find(std::string_view content) const;
  int32_t end_id() const { return end_id_; }  // highest id + 1, 0 without tokens

 private:
  std::optional<TextCut> accept(std::string_view text, size_t offset, const TokenTrie::Match& match,
                                size_t cut_end) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, size_t> by_content_;
  std::unordered_map<int32_t, size_t> by_id_;
  TokenTrie raw_, normalized_;
  int32_t end_id_ = 0;
};

}  // namespace eyrie
