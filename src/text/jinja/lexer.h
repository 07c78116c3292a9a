// text/jinja/lexer.h: a template's source as tokens: data between tags (white space already trimmed as trim_blocks,
// lstrip_blocks and the signs in tags say), and what stands in tags.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie::jinja {

struct Token {
  enum class Kind {
    data,
    statement_begin,
    statement_end,
    output_begin,
    output_end,
    name,
    text,
    whole,
    real,
    sign,
    end
  };
  Kind kind;
  int line;
  std::string text = {};  // of data, a name, a sign; of a string what it says
  int64_t whole = 0;
  double real = 0;
};

// Error{file} at place:line. The last token is of kind `end`.
std::vector<Token> tokenize(std::string_view source, const std::string& place);

// As an error names it.
std::string described(const Token& token);

[[noreturn]] void fail_syntax(const std::string& place, int line, const std::string& message);

}  // namespace eyrie::jinja
