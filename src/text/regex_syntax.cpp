// Oniguruma's pattern syntax (Ruby's) where PCRE2 reads it otherwise:
//   \s \w \p{} [] are sets of Unicode 16: text/regex_class.h
//   \w \W \b \B alone also take the superscripts and fractions of Latin-1 for word characters
//   \v          the vertical tab; in PCRE2 any vertical space
//   \uHHHH      unknown to PCRE2; \xHH from 80 on is a byte, in PCRE2 a character: refused
//   (?m)        "." takes a newline too: PCRE2's (?s). "^" and "$" are at every line: PCRE2_MULTILINE
//   a(?i)b|c    is a(?i:b|c); in PCRE2 a(?i)b|(?i)c
//   (?i)\p{Lu}  is not asked for its other cases
//   x{,n}       from none to n; in PCRE2 literal text
//   x{n,m}+     repeated, not possessive
//   \X \y \Y    segments of text by the tables of another version: refused
#include <fmt/core.h>

#include <vector>

#include "text/regex.h"
#include "text/regex_class.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

// What a set means that stands in no class.
CharacterClass alone(CharacterClass read) {
  static const CodePointSet word = unicode_property("word").value();
  static const CodePointSet latin_1_numbers({0xB2, 0xB4, 0xB9, 0xBA, 0xBC, 0xBF});
  if (read.members == word) read.members |= latin_1_numbers;
  return read;
}

class Translator {
 public:
  Translator(std::string_view pattern, bool newer) : pattern_(pattern), newer_(newer) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '{' && interval()) continue;
      if (c == '(' && options()) continue;
      atom_ = out_.size();
      if (c == '(') groups_.push_back({out_.size(), groups_.back().ignore_case});
      if (c == '\\')
        escape();
      else if (c == '[')
        emit_class(read_class(pattern_, at_));
      else if (c == ')')
        close_group();
      else
        copy(starts_with("(?") ? 2 : 1);
    }
    return out_ + std::string(groups_.back().isolated_options, ')');
  }

 private:
  struct Group {
    size_t begin;  // in out_
    bool ignore_case = false;
    size_t isolated_options = 0;  // groups that "(?i)" opened here, closed where this one is
  };

  bool starts_with(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy(size_t bytes) { emit(bytes, pattern_.substr(at_, bytes)); }
  void emit(size_t bytes, std::string_view text) {
    out_ += text;
    at_ += bytes;
  }
  void emit_class(const CharacterClass& read) {
    out_ += class_text(read, {.newer = newer_, .ignore_case = groups_.back().ignore_case});
    at_ = read.end;
  }

  void close_group() {
    if (groups_.size() > 1) {
      atom_ = groups_.back().begin;
      out_.append(groups_.back().isolated_options, ')');
      groups_.pop_back();
    }
    copy(1);
  }

  void escape() {
    if (at_ + 1 >= pattern_.size()) refuse_pattern(pattern_, "a backslash at the end");
    const char letter = pattern_[at_ + 1];
    switch (letter) {
      case 'b':
        return emit(2, fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word_text()));
      case 'B':
        return emit(2, fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word_text()));
      case 'v':
        return emit(2, "\\x0B");
      case 'u':
      case 'x':
        return emit_class(read_character(pattern_, at_));
      case 'Q':
      case 'E':
      case 'N':
      case 'O':
      case 'K':
      case 'C':
      case 'X':
      case 'y':
      case 'Y':
        refuse_pattern(pattern_, fmt::format("\\{}", letter));
      default:
        if (const std::optional<CharacterClass> read = read_class_escape(pattern_, at_)) return emit_set(*read);
        return copy(2);
    }
  }

  std::string word_text() const { return class_text(alone(*read_class_escape("\\w", 0)), {.newer = newer_}); }

  // A set that is no class is as it is, whatever (?i) says.
  void emit_set(const CharacterClass& read) {
    const std::string text = class_text(alone(read), {.newer = newer_});
    out_ += groups_.back().ignore_case ? fmt::format("(?-i:{})", text) : text;
    at_ = read.end;
  }

  // (?imx-imx) and (?imx-imx:...): the letter m. False for other groups, which are the same in both.
  bool options() {
    const size_t end = starts_with("(?") ? pattern_.find_first_not_of("imx-", at_ + 2) : pattern_.npos;
    if (end == pattern_.npos || end == at_ + 2 || (pattern_[end] != ')' && pattern_[end] != ':')) return false;
    const bool isolated = pattern_[end] == ')';
    if (isolated)
      ++groups_.back().isolated_options;
    else
      groups_.push_back({out_.size(), groups_.back().ignore_case});
    out_ += "(?";
    bool on = true;
    for (const char c : pattern_.substr(at_ + 2, end - at_ - 2)) {
      if (c == '-') on = false;
      if (c == 'i') groups_.back().ignore_case = on;
      out_ += c == 'm' ? 's' : c;
    }
    out_ += ':';
    at_ = end + 1;
    return true;
  }

  // {n,m} behind the last atom; false when the brace is literal text.
  bool interval() {
    const size_t close = pattern_.find('}', at_);
    const std::string_view bounds =
        close == pattern_.npos ? std::string_view() : pattern_.substr(at_ + 1, close - at_ - 1);
    if (bounds.empty() || bounds.find_first_not_of("0123456789,") != bounds.npos) return false;
    out_ += bounds[0] == ',' ? fmt::format("{{0{}}}", bounds) : fmt::format("{{{}}}", bounds);
    at_ = close + 1;
    if (starts_with("+")) {
      out_.insert(atom_, "(?:");
      emit(1, ")+");
    }
    return true;
  }

  std::string_view pattern_;
  bool newer_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = 0;                 // where the last atom begins in out_
  std::vector<Group> groups_{{0}};  // the pattern, and the open groups in it
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern, bool newer) { return Translator(pattern, newer).run(); }

}  // namespace eyrie
