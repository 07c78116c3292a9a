// Oniguruma's pattern syntax (Ruby's) where PCRE2 reads it otherwise:
//   \s \S       White_Space; PCRE2 adds U+180E
//   \w \W \b \B also marks, letter numbers, connector punctuation, letters in circles and squares
//   \h          a hexadecimal digit; in PCRE2 a horizontal space
//   \v          the vertical tab; in PCRE2 any vertical space
//   \uHHHH      unknown to PCRE2
//   (?m)        "." takes a newline too: PCRE2's (?s). "^" and "$" are at every line: PCRE2_MULTILINE
//   x{,n}       from none to n; in PCRE2 literal text
//   x{n,m}+     repeated, not possessive
//   [a[b]] &&   classes in classes: refused
#include <fmt/core.h>

#include <vector>

#include "base/error.h"
#include "text/regex.h"

namespace eyrie {
namespace {

constexpr const char* kSpace = R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr const char* kNotSpace =
    R"(\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027})"
    R"(\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
constexpr const char* kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";
constexpr const char* kHexadecimal = "0-9A-Fa-f";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '{' && interval()) continue;
      if (c == '(') groups_.push_back(out_.size());
      atom_ = out_.size();
      if (c == ')' && !groups_.empty()) {
        atom_ = groups_.back();
        groups_.pop_back();
      }
      if (c == '\\')
        escape(false);
      else if (c == '[')
        character_class();
      else if (starts_with("(?"))
        group();
      else
        copy(1);
    }
    return std::move(out_);
  }

 private:
  bool starts_with(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy(size_t bytes) {
    out_ += pattern_.substr(at_, bytes);
    at_ += bytes;
  }
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorKind::file, "", fmt::format("pattern {}: {} is not supported", pattern_, what));
  }
  void emit(size_t bytes, std::string_view text) {
    out_ += text;
    at_ += bytes;
  }

  // `members` as the class it is, alone or inside a class.
  void emit_class(const char* members, bool negated, bool in_class) {
    if (in_class && negated) refuse(fmt::format("\\{} in a class", pattern_[at_ + 1]));
    emit(2, in_class ? members : fmt::format("[{}{}]", negated ? "^" : "", members));
  }

  void escape(bool in_class) {
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at the end");
    switch (pattern_[at_ + 1]) {
      case 's':
        return emit_class(kSpace, false, in_class);
      case 'S':
        return in_class ? emit(2, kNotSpace) : emit_class(kSpace, true, false);
      case 'w':
        return emit_class(kWord, false, in_class);
      case 'W':
        return emit_class(kWord, true, in_class);
      case 'h':
        return emit_class(kHexadecimal, false, in_class);
      case 'H':
        return emit_class(kHexadecimal, true, in_class);
      case 'v':
        return emit(2, "\\x0B");
      case 'u':
        return unicode_escape();
      case 'b':
        return in_class ? copy(2) : emit(2, fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWord));
      case 'B':
        return emit(2, fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWord));
      case 'p':
      case 'P':
      case 'x':
        return braced_escape();
      case 'Q':
      case 'E':
      case 'N':
      case 'O':
      case 'K':
      case 'C':
        refuse(fmt::format("\\{}", pattern_[at_ + 1]));
      default:
        return copy(2);
    }
  }

  void unicode_escape() {
    const std::string_view digits = pattern_.substr(at_ + 2, 4);
    if (digits.size() < 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
      refuse("\\u without four digits");
    emit(6, fmt::format("\\x{{{}}}", digits));
  }

  // \p{...}, \x{...}: their braces are no repetition.
  void braced_escape() {
    copy(2);
    if (!starts_with("{")) return;
    const size_t close = pattern_.find('}', at_);
    if (close == pattern_.npos) refuse("an open brace");
    copy(close + 1 - at_);
  }

  void character_class() {
    copy(1);
    if (starts_with("^")) copy(1);
    if (starts_with("]")) emit(1, "\\]");
    while (at_ < pattern_.size() && pattern_[at_] != ']') {
      if (pattern_[at_] == '\\')
        escape(true);
      else if (starts_with("[:"))
        posix_class();
      else if (pattern_[at_] == '[')
        refuse("a class in a class");
      else if (starts_with("&&"))
        refuse("&& in a class");
      else
        copy(1);
    }
    if (at_ >= pattern_.size()) refuse("an open class");
    copy(1);
  }

  void posix_class() {
    const size_t close = pattern_.find(":]", at_);
    if (close == pattern_.npos) refuse("an open [:");
    copy(close + 2 - at_);
  }

  // (?imx-imx) and (?imx-imx:...): the letter m; everything else that begins with (? is the same in both.
  void group() {
    const size_t end = pattern_.find_first_not_of("imx-", at_ + 2);
    const bool options = end != pattern_.npos && end > at_ + 2 && (pattern_[end] == ')' || pattern_[end] == ':');
    if (!options) return copy(2);
    for (; at_ < end; ++at_) out_ += pattern_[at_] == 'm' ? 's' : pattern_[at_];
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
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = 0;             // where the last atom begins in out_
  std::vector<size_t> groups_;  // where the open groups do
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace eyrie
