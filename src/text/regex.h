// text/regex.h: the patterns of tokenizer.json. They are written for Oniguruma (Ruby syntax, Unicode); matching is
// PCRE2's, with UTF, Unicode properties and JIT, under a match limit. What the two read differently is rewritten
// (regex_syntax.cpp) or refused by name, never matched otherwise.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;  // a pcre2_code

namespace eyrie {

class Json;

// The same pattern in PCRE2's syntax. Error{file} with what cannot be carried over.
std::string oniguruma_to_pcre2(std::string_view pattern);

// A literal or a regular expression, as {"String": ...} or {"Regex": ...} says.
class Pattern {
 public:
  static Pattern from_json(const Json& json);
  static Pattern literal(std::string text);
  static Pattern regex(std::string_view oniguruma);

  // Calls `match(begin, end)` for the matches in `text` from left to right. They do not overlap; a match without length
  // is reported unless the one before ended there; an empty text has no match. Error{input} when a match limit is
  // reached.
  void for_each_match(std::string_view text, const std::function<void(size_t, size_t)>& match) const;

 private:
  std::string source_;
  std::shared_ptr<const pcre2_real_code_8> code_;  // null: a literal
};

}  // namespace eyrie
