#include "text/jinja/string_literal.h"

#include <fmt/core.h>

#include <charconv>

#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// `digits` of `literal` at `at`, in the base; false where they are malformed or no character.
bool append_code(std::string& text, std::string_view digits, int base) {
  uint32_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return false;
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
  append_utf8(text, value);
  return true;
}

}  // namespace

std::string unescaped(std::string_view literal, std::string& error) {
  static constexpr std::string_view kLetters = "\\'\"abfnrtv", kMeanings = "\\'\"\a\b\f\n\r\t\v";
  std::string text;
  for (size_t at = 0; at < literal.size();) {
    if (literal[at] != '\\') {
      text += literal[at++];
      continue;
    }
    const char letter = literal[at + 1];  // the lexer never ends a string behind a backslash
    const size_t width = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    const size_t known = kLetters.find(letter);
    size_t octal = 0;
    while (octal < 3 && at + 1 + octal < literal.size() && literal[at + 1 + octal] >= '0' &&
           literal[at + 1 + octal] <= '7')
      ++octal;
    at += 2;
    if (known != kLetters.npos) {
      text += kMeanings[known];
    } else if (octal > 0) {
      append_code(text, literal.substr(at - 1, octal), 8);
      at += octal - 1;
    } else if (width > 0) {
      if (at + width > literal.size() || !append_code(text, literal.substr(at, width), 16))
        error = fmt::format("\\{} in a string without its {} digits of a character", letter, width);
      at += width;
    } else if (letter == 'N') {
      error = "\\N in a string: names of characters are not known here";
    } else if (letter != '\n') {
      text += '\\';
      text += letter;
    }
  }
  return text;
}

}  // namespace eyrie::jinja
