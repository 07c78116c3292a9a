#include "text/jinja/lexer.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "io/json.h"
#include "text/jinja/python_text.h"
#include "text/jinja/string_literal.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

using Kind = Token::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

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
    while (at < source_.size()) {
      const CodePoint point = code_point_at(source_, at);
      if (!is_python_space(point.value)) break;
      at += point.bytes;
    }
    return at;
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
    if (opened == '{') return output();
    if (const size_t end = raw_end(at_)) return raw(end);
    statement();
  }

  // Where the data before a tag at `tag` ends.
  size_t end_of_data(size_t begin, size_t tag, char sign, bool is_block) const {
    const std::string_view data = std::string_view(source_).substr(begin, tag - begin);
    if (sign == '-') return begin + trim_python_space(data, false).size();
    if (sign == '+' || !is_block) return tag;
    const size_t newline = data.rfind('\n');
    const bool line_begins = newline != data.npos || begin == 0 || source_[begin - 1] == '\n';
    const size_t line = newline == data.npos ? 0 : newline + 1;
    return line_begins && trim_python_space(data.substr(line)).empty() ? begin + line : tag;
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

  void output() {
    add(Kind::output_begin);
    inside("}}", false);
    add(Kind::output_end);
    go_to(tag_end(at_, "}}", false));
  }

  void statement() {
    add(Kind::statement_begin);
    inside("%}", true);
    add(Kind::statement_end);
    go_to(tag_end(at_, "%}", true));
  }

  // Tokens up to `close`, which counts only outside brackets.
  void inside(std::string_view close, bool trims) {
    std::string open;
    for (;;) {
      go_to(after_space(at_));
      if (at_ >= source_.size()) fail(fmt::format("a tag without its end, {}", close));
      if (open.empty() && tag_end(at_, close, trims)) return;
      if (is_digit(peek()))
        number();
      else if (peek() == '"' || peek() == '\'')
        text();
      else if (!name())
        sign(open);
    }
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

  void sign(std::string& open) {
    static constexpr std::array<std::string_view, 8> kPairs = {"//", "**", "==", "!=", ">=", "<=", "", ""};
    static constexpr std::string_view kSigns = "+-/*%~[](){}><=.:|,;";
    const auto pair = std::find_if(kPairs.begin(), kPairs.end(), [&](auto two) { return !two.empty() && sees(two); });
    const char c = peek();
    if (pair == kPairs.end() && kSigns.find(c) == kSigns.npos) {
      const size_t bytes = code_point_at(source_, at_).bytes;
      fail(fmt::format("unexpected character '{}'", source_.substr(at_, bytes)));
    }
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c)
        fail(fmt::format("unexpected '{}'{}", c, open.empty() ? "" : fmt::format(", expected '{}'", open.back())));
      open.pop_back();
    }
    add(Kind::sign, pair == kPairs.end() ? std::string(1, c) : std::string(*pair));
    go_to(at_ + tokens_.back().text.size());
  }

  void text() {
    const size_t begin = at_;
    const char quote = peek();
    size_t end = begin + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string without its end");
    const std::string_view literal = std::string_view(source_).substr(begin + 1, end - begin - 1);
    std::string error;
    add(Kind::text, unescaped(literal, error));
    if (!error.empty()) fail(error);
    go_to(end + 1);
  }

  // Digits from `at`, apart by single underscores; where they end.
  size_t digits(size_t at, std::string_view alphabet = "0123456789") const {
    const auto is_one = [&](size_t place) {
      return place < source_.size() && alphabet.find(source_[place]) != alphabet.npos;
    };
    while (is_one(at) || (source_[at] == '_' && is_one(at + 1))) ++at;
    return at;
  }

  void number() {
    size_t end = digits(at_);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // x.0.1 is two indices
    bool is_real = false;
    if (!after_dot && source_[end] == '.' && end + 1 < source_.size() && is_digit(source_[end + 1])) {
      end = digits(end + 1);
      is_real = true;
    }
    if (!after_dot && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t exponent = end + 1 + (source_[end + 1] == '+' || source_[end + 1] == '-' ? 1 : 0);
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        end = digits(exponent);
        is_real = true;
      }
    }
    is_real ? real(end) : whole();
  }

  std::string without_underscores(size_t end) const {
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    return text;
  }

  void real(size_t end) {
    const std::string text = without_underscores(end);
    add(Kind::real).real = std::strtod(text.c_str(), nullptr);
    go_to(end);
  }

  void whole() {
    struct Base {
      char letter;
      int base;
      std::string_view alphabet;
    };
    static constexpr Base kBases[] = {{'x', 16, "0123456789abcdefABCDEF"}, {'o', 8, "01234567"}, {'b', 2, "01"}};
    int base = 10;
    size_t end = source_[at_] == '0' ? digits(at_, "0") : digits(at_);  // 01 is two numbers, as in jinja
    for (const Base& one : kBases) {
      if (peek() != '0' || (peek(1) | 0x20) != one.letter || digits(at_ + 2, one.alphabet) == at_ + 2) continue;
      base = one.base;
      end = digits(at_ + 2, one.alphabet);
    }
    const std::string text = without_underscores(end).substr(base == 10 ? 0 : 2);
    Token& token = add(Kind::whole);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), token.whole, base);
    if (read.ec != std::errc()) fail(fmt::format("a whole number that does not fit 64 bits: {}", text));
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

std::string described(const Token& token) {
  switch (token.kind) {
    case Kind::statement_end:
      return "the end of the tag";
    case Kind::output_end:
      return "}}";
    case Kind::text:
      return "a string";
    case Kind::whole:
    case Kind::real:
      return "a number";
    case Kind::end:
      return "the end of the template";
    case Kind::name:
    case Kind::sign:
      return fmt::format("\"{}\"", token.text);
    default:
      return "text";
  }
}

void fail_syntax(const std::string& place, int line, const std::string& message) {
  throw Error(ErrorKind::file, place_of_line(place, line), message);
}

}  // namespace eyrie::jinja
