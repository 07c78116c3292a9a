#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "io/json.h"
#include "text/jinja/syntax.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

using Kind = Token::Kind;

constexpr std::string_view kDigits = "0123456789";

// One kind of newline, and none at the end.
std::string with_plain_newlines(std::string_view source) {
  std::string plain;
  for (size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r' && at + 1 < source.size() && source[at + 1] == '\n') continue;
    plain += source[at] == '\r' ? '\n' : source[at];
  }
  if (!plain.empty() && plain.back() == '\n') plain.pop_back();
  return plain;
}

class Lexer {
 public:
  Lexer(std::string source, const std::string& place) : source_(std::move(source)), place_(place) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) data_and_tag();
    add(Kind::end);
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { fail_syntax(place_, line_, message); }
  bool sees(std::string_view text) const { return std::string_view(source_).substr(at_, text.size()) == text; }
  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  Token& add(Kind kind, std::string text = {}) {
    tokens_.push_back({.kind = kind, .line = line_, .text = std::move(text)});
    return tokens_.back();
  }

  void go_to(size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  size_t after_space(size_t at) const {
    return source_.size() - trim_white_space(std::string_view(source_).substr(at), true, false).size();
  }

  void add_data(size_t begin, size_t end) {
    if (begin < end) add(Kind::data, source_.substr(begin, end - begin));
  }

  // Data up to the next tag, less the white space that the tag takes; then the tag.
  void data_and_tag() {
    const size_t begin = at_;
    size_t tag = begin;
    do tag = source_.find('{', tag);
    while (tag != source_.npos && std::string_view("{%#").find(source_[tag + 1]) == std::string::npos && ++tag);
    if (tag == source_.npos) {
      add_data(begin, source_.size());
      return go_to(source_.size());
    }
    const char opened = source_[tag + 1];
    const char sign = source_[tag + 2] == '-' || source_[tag + 2] == '+' ? source_[tag + 2] : '\0';
    add_data(begin, end_of_data(begin, tag, sign, opened != '{'));
    go_to(tag + 2 + (sign ? 1 : 0));
    if (opened == '#') return comment();
    if (opened == '{') return tag_of("{{", "}}", false);
    if (const size_t end = raw_end(at_)) return raw(end);
    tag_of("{%", "%}", true);
  }

  // Where the data before a tag at `tag` ends.
  size_t end_of_data(size_t begin, size_t tag, char sign, bool is_block) const {
    const std::string_view data = std::string_view(source_).substr(begin, tag - begin);
    if (sign == '-') return begin + trim_white_space(data, false).size();
    if (sign == '+' || !is_block) return tag;
    const size_t newline = data.rfind('\n');
    const bool line_begins = newline != data.npos || begin == 0 || source_[begin - 1] == '\n';
    const size_t line = newline == data.npos ? 0 : newline + 1;
    return line_begins && trim_white_space(data.substr(line)).empty() ? begin + line : tag;
  }

  // Where the end of a tag, `close` perhaps after a sign, and what it takes behind it, ends; 0: none stands at `at`.
  size_t tag_end(size_t at, std::string_view close, bool trims) const {
    const std::string_view rest = std::string_view(source_).substr(at);
    if (rest.substr(0, close.size()) == close) {
      at += close.size();
      return trims && at < source_.size() && source_[at] == '\n' ? at + 1 : at;
    }
    if (rest.size() <= close.size() || rest.substr(1, close.size()) != close) return 0;
    if (rest[0] == '-') return after_space(at + 1 + close.size());
    return rest[0] == '+' && trims ? at + 1 + close.size() : 0;
  }

  void comment() {
    for (size_t at = at_; at < source_.size(); ++at)
      if (const size_t end = tag_end(at, "#}", true)) return go_to(end);
    if (at_ < source_.size()) fail("a comment without its end, #}");  // as jinja: an empty one may lack it
  }

  // Behind {% raw %}, whose name would begin at `at`; 0: another tag. It takes no newline, as jinja's takes none.
  size_t raw_end(size_t at) const {
    at = after_space(at);
    if (source_.compare(at, 3, "raw") != 0) return 0;
    return tag_end(after_space(at + 3), "%}", false);
  }

  void raw(size_t begin) {
    go_to(begin);
    for (size_t tag = source_.find("{%", at_); tag != source_.npos; tag = source_.find("{%", tag + 1)) {
      const char sign = source_[tag + 2] == '-' || source_[tag + 2] == '+' ? source_[tag + 2] : '\0';
      const size_t name = after_space(tag + 2 + (sign ? 1 : 0));
      if (source_.compare(name, 6, "endraw") != 0) continue;
      const size_t end = tag_end(after_space(name + 6), "%}", true);
      if (end == 0) continue;
      add_data(begin, end_of_data(begin, tag, sign, true));
      return go_to(end);
    }
    if (at_ < source_.size()) fail("{% raw %} without {% endraw %}");
  }

  // Tokens up to `close`, which counts only outside brackets.
  void tag_of(const char* begin, const char* close, bool trims) {
    add(Kind::sign, begin);
    int open = 0;  // brackets
    for (go_to(after_space(at_)); open > 0 || !tag_end(at_, close, trims); go_to(after_space(at_))) {
      if (at_ >= source_.size()) fail(fmt::format("a tag without its end, {}", close));
      if (kDigits.find(peek()) != kDigits.npos)
        number();
      else if (peek() == '"' || peek() == '\'')
        text();
      else if (!name())
        sign(open);
    }
    add(Kind::sign, close);
    go_to(tag_end(at_, close, trims));
  }

  bool name() {
    size_t end = at_;
    while (end < source_.size()) {
      const CodePoint point = code_point_at(source_, end);
      if (!is_word(point.value)) break;
      end += point.bytes;
    }
    if (end == at_) return false;
    add(Kind::name, source_.substr(at_, end - at_));
    go_to(end);
    return true;
  }

  void sign(int& open) {
    static constexpr std::string_view kSigns[] = {"//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                                  "]",  "(",  ")",  "{",  "}",  ">", "<", "=", ".", ":", "|", ","};
    const auto found = std::find_if(std::begin(kSigns), std::end(kSigns), [&](auto one) { return sees(one); });
    const char c = peek();
    if (found == std::end(kSigns))
      fail(fmt::format("unexpected character '{}'", source_.substr(at_, code_point_at(source_, at_).bytes)));
    if (c == '(' || c == '[' || c == '{') ++open;
    if (c == ')' || c == ']' || c == '}') --open;
    add(Kind::sign, std::string(*found));
    go_to(at_ + found->size());
  }

  void text() {
    const size_t begin = at_;
    const char quote = peek();
    size_t end = begin + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string without its end");
    add(Kind::text, unescaped(std::string_view(source_).substr(begin + 1, end - begin - 1)));
    go_to(end + 1);
  }

  std::string unescaped(std::string_view literal) const {
    static constexpr std::string_view kLetters = "\\'\"nrt", kMeanings = "\\'\"\n\r\t";
    std::string text;
    for (size_t at = 0; at < literal.size(); ++at) {
      const bool escaped = literal[at] == '\\' && ++at > 0;  // no string ends behind a backslash
      const size_t known = kLetters.find(literal[at]);
      if (escaped && known == kLetters.npos)
        fail(fmt::format("an escape in a string that is not known here: \\{}", literal[at]));
      text += escaped ? kMeanings[known] : literal[at];
    }
    return text;
  }

  size_t after_digits(size_t at) const { return std::min(source_.find_first_not_of(kDigits, at), source_.size()); }

  void number() {
    const size_t whole_end = after_digits(at_);
    size_t end = whole_end;
    if (source_[end] == '.' && after_digits(end + 1) > end + 1) end = after_digits(end + 1);
    if (source_[end] == 'e' || source_[end] == 'E') {
      const size_t exponent = end + 1 + (source_[end + 1] == '+' || source_[end + 1] == '-' ? 1 : 0);
      if (after_digits(exponent) > exponent) end = after_digits(exponent);
    }
    Token& token = add(Kind::number, source_.substr(at_, end - at_));
    int64_t whole = 0;
    const bool fits = std::from_chars(&source_[at_], &source_[end], whole).ec == std::errc();
    if (end == whole_end && !fits) fail(fmt::format("a whole number that does not fit 64 bits: {}", token.text));
    token.number = end == whole_end ? Value(whole) : Value(std::strtod(token.text.c_str(), nullptr));
    go_to(end);
  }

  std::string source_;
  const std::string& place_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& place) {
  const size_t invalid = first_invalid_byte(source);
  if (invalid != kAllValid) {
    const auto line = 1 + std::count(source.begin(), source.begin() + static_cast<std::ptrdiff_t>(invalid), '\n');
    fail_syntax(place, static_cast<int>(line), "the template is not UTF-8");
  }
  return Lexer(with_plain_newlines(source), place).run();
}

void fail_syntax(const std::string& place, int line, const std::string& message) {
  throw Error(ErrorKind::file, place_of_line(place, line), message);
}

}  // namespace eyrie::jinja
