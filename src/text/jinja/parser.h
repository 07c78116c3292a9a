// text/jinja/parser.h: recursive descent over a template's tokens, in two layers: expressions, and statements above.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/lexer.h"
#include "text/jinja/syntax.h"

namespace eyrie::jinja {

class ExpressionParser {
 public:
  ExpressionParser(Program& program, std::vector<Token> tokens) : program_(program), tokens_(std::move(tokens)) {}

 protected:
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool sees(Token::Kind kind) const { return now().kind == kind; }
  bool sees_sign(std::string_view text) const { return sees(Token::Kind::sign) && now().text == text; }
  bool sees_name(std::string_view text) const { return sees(Token::Kind::name) && now().text == text; }
  bool take_sign(std::string_view text) { return sees_sign(text) && (++at_, true); }
  bool take_name(std::string_view text) { return sees_name(text) && (++at_, true); }
  const Token& take(Token::Kind kind, const char* expected);
  void expect_sign(std::string_view text);
  void expect_name(std::string_view text);
  [[noreturn]] void fail(const std::string& message) const { fail_syntax(program_.place, now().line, message); }
  [[noreturn]] void fail_expected(std::string_view expected) const;

  Expression& make(Expression::Kind kind, int line, std::vector<const Expression*> parts = {});
  const Expression* variable(const std::string& name);
  const Expression* expression(bool with_conditional = true);
  // One expression, or several behind commas.
  const Expression* tuple(bool with_conditional, bool in_brackets = false);
  const Expression* target(bool with_attributes);
  bool ends_tuple() const {
    return sees(Token::Kind::statement_end) || sees(Token::Kind::output_end) || sees_sign(")");
  }
  const Expression* filters(const Expression* base);  // base | filter | filter ...
  const Expression* filter(const Expression* base);   // at the name of one

  Program& program_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  std::set<std::string> read_;  // variables that were read so far

  // One level of nested syntax.
  struct Nested {
    explicit Nested(ExpressionParser& parser) : depth(parser.depth_) {
      if (++depth > kMostDepth) parser.fail("nested deeper than " + std::to_string(kMostDepth));
    }
    ~Nested() { --depth; }
    int& depth;
  };

 private:
  using Parse = const Expression* (ExpressionParser::*)();
  const Expression* any_of() { return joined(Expression::Kind::any_of, &ExpressionParser::all_of, "or"); }
  const Expression* all_of() { return joined(Expression::Kind::all_of, &ExpressionParser::inverted, "and"); }
  const Expression* inverted();
  const Expression* comparison();
  const Expression* sum();
  const Expression* concatenation() { return joined(Expression::Kind::concatenate, &ExpressionParser::product, "~"); }
  const Expression* product();
  const Expression* power();
  const Expression* unary() { return signed_operand(true); }
  const Expression* signed_operand(bool with_filters);
  using Signs = std::initializer_list<std::pair<std::string_view, Operator>>;
  const Expression* operation(Parse operand, Signs signs);
  const Expression* joined(Expression::Kind kind, Parse operand, std::string_view word);
  const Expression* primary();
  const Expression* postfix(const Expression* base);
  const Expression* subscript(const Expression* base);
  const Expression* subscripted(const Expression* base);
  const Expression* call(const Expression* base);
  const Expression* test(const Expression* base);
  const Expression* single_target(bool with_attributes);
  const Expression* list();
  const Expression* dictionary();
  std::vector<CallArgument> call_arguments();
  std::string dotted_name(const char* expected);
};

}  // namespace eyrie::jinja
