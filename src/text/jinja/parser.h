// text/jinja/parser.h: recursive descent over a template's tokens, in two layers: expressions, and statements above.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/syntax.h"

namespace eyrie::jinja {

class ExpressionParser {
 public:
  ExpressionParser(Program& program, std::vector<Token> tokens) : program_(program), tokens_(std::move(tokens)) {}

 protected:
  const Token& now() const { return tokens_[at_]; }
  bool sees(Token::Kind kind) const { return now().kind == kind; }
  bool sees(std::string_view word, size_t ahead = 0) const;  // a sign or a name
  bool take(std::string_view word) { return sees(word) && (++at_, true); }
  void expect(std::string_view word);
  std::string take_name(const char* expected);
  [[noreturn]] void fail(const std::string& message) const { fail_syntax(program_.place, now().line, message); }
  [[noreturn]] void fail_expected(std::string_view expected) const;

  const Expression* variable(const std::string& name);
  const Expression* expression(bool with_conditional = true);
  const Expression* tuple(bool with_conditional, bool may_be_empty = false);  // one expression, or several by commas
  const Expression* target(bool with_attributes);
  const Expression* filters(const Expression* base, bool at_name = false);  // base | filter | filter ...

  // What stands up to `close`, apart by commas, one perhaps behind the last.
  template <typename Item>
  void list_of(std::string_view close, Item item) {
    for (bool is_first = true; !take(close); is_first = false) {
      if (!is_first) expect(",");
      if (is_first || !sees(close)) item();
    }
  }

  Program& program_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;

  // One level of nested syntax.
  struct Nested {
    explicit Nested(ExpressionParser& parser) : depth(parser.depth_) {
      if (++depth > kMostDepth) parser.fail("nested deeper than " + std::to_string(kMostDepth));
    }
    ~Nested() { --depth; }
    int& depth;
  };

 private:
  Expression& make(Expression::Kind kind, int line, std::vector<const Expression*> parts = {});
  const Expression* constant(Value value);
  bool take_operator(int level, Operator& found);
  const Expression* binary(int level);
  const Expression* unary(bool with_filters);
  const Expression* primary();
  const Expression* named(const std::string& name);
  const Expression* postfix(const Expression* base);
  const Expression* attribute(const Expression* base);
  const Expression* subscript(const Expression* base);
  const Expression* call(const Expression* base);
  const Expression* test(const Expression* base);
  std::vector<CallArgument> call_arguments();
  bool ends_tuple() const { return sees("%}") || sees("}}") || sees(")"); }
  void check_chain(int links) const {
    if (links > kMostDepth) fail("more than " + std::to_string(kMostDepth) + " filters or attributes in a row");
  }
};

}  // namespace eyrie::jinja
