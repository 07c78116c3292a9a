// text/jinja/expression_parser.h: recursive descent over a template's tokens: the layer of expressions, below that of
// statements (parser.cpp).
#pragma once
#include <fmt/core.h>

#include <algorithm>

#include "text/jinja/syntax.h"

namespace eyrie::jinja {

// The later, the closer they bind.
constexpr std::string_view kSigns[][7] = {
    {"or"}, {"and"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}, {"~"}, {"*", "/", "//", "%"},
};
constexpr size_t kComparison = 2;

class ExpressionParser {
 public:
  ExpressionParser(Program& program, std::vector<Token> tokens) : program_(program), tokens_(std::move(tokens)) {}

 protected:
  using Kind = Expression::Kind;

  const Token& now() const { return tokens_[at_]; }
  bool sees(Token::Kind kind) const { return now().kind == kind; }
  bool take(std::string_view word) { return sees(word) && (++at_, true); }
  [[noreturn]] void fail(const std::string& message) const { fail_syntax(program_.place, now().line, message); }

  // A sign or a name.
  bool sees(std::string_view word, size_t ahead = 0) const {
    const Token& token = tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    return (token.kind == Token::Kind::name || token.kind == Token::Kind::sign) && token.text == word;
  }

  void expect(std::string_view word) {
    if (!take(word)) fail_expected(fmt::format("\"{}\"", word));
  }

  std::string take_name(const char* expected) {
    if (!sees(Token::Kind::name)) fail_expected(expected);
    return tokens_[at_++].text;
  }

  [[noreturn]] void fail_expected(std::string_view expected) const {
    const bool is_end = sees(Token::Kind::end);
    const std::string found = is_end ? "the end of the template" : fmt::format("\"{}\"", now().text);
    fail(fmt::format("expected {}, found {}", expected, found));
  }

  Expression& make(Kind kind, int line, std::vector<const Expression*> parts = {}, std::string name = {}) {
    return program_.expressions.emplace_back(
        Expression{.kind = kind, .line = line, .parts = std::move(parts), .name = std::move(name)});
  }

  const Expression* constant(Value value) {
    Expression& made = make(Kind::constant, now().line);
    made.constant = std::move(value);
    return &made;
  }

  const Expression* expression(bool with_conditional = true) {
    const Nested nested(*this);
    const int line = now().line;
    const Expression* value = binary(0);
    if (!with_conditional || !take("if")) return value;
    const Expression* condition = binary(0);
    return &make(Kind::conditional, line, {value, condition, take("else") ? expression() : nullptr});
  }

  // One of the level's signs; empty: none stands here.
  std::string_view take_sign(size_t level) {
    if (level == kComparison && sees("not") && sees("in", 1)) return at_ += 2, "not in";
    for (const std::string_view sign : kSigns[level])
      if (take(sign)) return sign;
    return {};
  }

  const Expression* binary(size_t level) {
    if (level == std::size(kSigns)) return unary(true);
    const int line = now().line;
    if (level == kComparison && take("not")) {
      const Nested nested(*this);
      return &make(Kind::invert, line, {binary(level)});
    }
    std::vector<const Expression*> parts = {binary(level + 1)};
    std::vector<std::string_view> operators;
    for (std::string_view sign = take_sign(level); !sign.empty(); sign = take_sign(level)) {
      operators.push_back(sign);
      parts.push_back(binary(level + 1));
    }
    if (operators.empty()) return parts[0];
    if (level == kComparison && operators.size() > 1) fail("comparisons in a row are not known here");
    Expression& made = make(Kind::operation, line, std::move(parts));
    made.operators = std::move(operators);
    return &made;
  }

  const Expression* unary(bool with_filters) {
    const int line = now().line;
    const Expression* operand = nullptr;
    if (take("-")) {
      const Nested nested(*this);
      const Expression* zero = constant(int64_t{0});
      Expression& negated = make(Kind::operation, line, {zero, unary(false)});
      negated.operators = {"-"};
      operand = &negated;
    } else {
      operand = primary();
    }
    operand = postfix(operand);
    for (int links = 0; with_filters; ++links) {
      check_chain(links);
      if (sees("|"))
        operand = filters(operand);
      else if (take("is"))
        operand = test(operand);
      else
        break;
    }
    return operand;
  }

  const Expression* primary() {
    const Token& token = now();
    const Expression* word = sees(Token::Kind::name)     ? named(token.text)
                             : sees(Token::Kind::number) ? constant(token.number)
                                                         : nullptr;
    if (word) return ++at_, word;
    if (sees(Token::Kind::text)) {
      std::string text;
      while (sees(Token::Kind::text)) text += tokens_[at_++].text;
      program_.mention(text);
      return constant(std::move(text));
    }
    std::vector<const Expression*> parts;
    if (take("(")) {
      const Expression* inside = tuple(true, true);
      expect(")");
      return inside;
    }
    if (take("[")) {
      list_of("]", [&] { parts.push_back(expression()); });
      return &make(Kind::list, token.line, std::move(parts));
    }
    if (!take("{")) fail_expected("a value");
    list_of("}", [&] {
      parts.push_back(expression());
      expect(":");
      parts.push_back(expression());
    });
    return &make(Kind::dictionary, token.line, std::move(parts));
  }

  const Expression* named(const std::string& name) {
    if (name == "true" || name == "True") return constant(true);
    if (name == "false" || name == "False") return constant(false);
    if (name == "none" || name == "None") return constant(Value::none());
    if (name == "varargs" || name == "kwargs") fail(fmt::format("\"{}\" is not known here", name));
    program_.mention(name);
    return &make(Kind::variable, now().line, {}, name);
  }

  // One expression, or several by commas.
  const Expression* tuple(bool with_conditional, bool may_be_empty = false) {
    const int line = now().line;
    std::vector<const Expression*> parts;
    bool is_tuple = may_be_empty && ends_tuple();
    while (!ends_tuple() || (parts.empty() && !is_tuple)) {
      parts.push_back(expression(with_conditional));
      if (!take(",")) break;
      is_tuple = true;
    }
    return is_tuple ? &make(Kind::tuple, line, std::move(parts)) : parts[0];
  }

  const Expression* target(bool with_attributes) {
    const int line = now().line;
    std::vector<const Expression*> parts;
    const bool in_brackets = take("(");
    do {
      const std::string name = take_name("a name to set");
      parts.push_back(&make(Kind::variable, now().line, {}, name));
      if (with_attributes && take("."))
        parts.back() = &make(Kind::attribute, line, {parts.back()}, take_name("an attribute's name"));
    } while (take(","));
    if (in_brackets) expect(")");
    return parts.size() > 1 ? &make(Kind::tuple, line, std::move(parts)) : parts[0];
  }

  const Expression* postfix(const Expression* base) {
    for (int links = 0;; ++links) {
      check_chain(links);
      if (take("."))
        base = attribute(base);
      else if (take("["))
        base = subscript(base);
      else if (sees("("))
        base = call(base);
      else
        return base;
    }
  }

  const Expression* attribute(const Expression* base) {
    const int line = now().line;
    const std::string name = take_name("an attribute's name");
    if (sees("(") && !is_method(name)) fail(fmt::format("a method that is not known here: \"{}\"", name));
    program_.mention(name);
    return &make(Kind::attribute, line, {base}, name);
  }

  const Expression* subscript(const Expression* base) {
    const int line = now().line;
    const auto bound = [&]() -> const Expression* { return sees(":") || sees("]") ? nullptr : expression(); };
    std::vector<const Expression*> parts = {base, bound()};
    const bool is_slice = sees(":");
    while (take(":")) parts.push_back(bound());
    if (parts.size() > 4 || (!is_slice && !parts[1])) fail_expected("an index or a slice");
    expect("]");
    if (!is_slice) return &make(Kind::item, line, std::move(parts));
    parts.resize(4);
    return &make(Kind::slice, line, std::move(parts));
  }

  const Expression* call(const Expression* base) {
    Expression& call = make(Kind::call, now().line, {base});
    call.arguments = call_arguments();
    return &call;
  }

  std::vector<CallArgument> call_arguments() {
    std::vector<CallArgument> arguments;
    expect("(");
    list_of(")", [&] {
      const bool is_named = sees(Token::Kind::name) && sees("=", 1);
      if (!is_named && !arguments.empty() && !arguments.back().name.empty())
        fail("a value by position stands behind one by name");
      const std::string name = is_named ? now().text : "";
      at_ += is_named ? 2 : 0;
      arguments.push_back({name, expression()});
    });
    return arguments;
  }

  // base | filter | filter ...
  const Expression* filters(const Expression* base, bool at_name = false) {
    for (int links = 0; at_name || take("|"); ++links) {
      check_chain(links);
      at_name = false;
      const std::string name = take_name("a filter's name");
      Expression& filter = make(Kind::builtin, now().line, {base});
      filter.builtin = find_filter(name);
      if (!filter.builtin) fail(fmt::format("a filter that is not known here: \"{}\"", name));
      if (sees("(")) filter.arguments = call_arguments();
      base = &filter;
    }
    return base;
  }

  const Expression* test(const Expression* base) {
    const bool inverts = take("not");
    const std::string name = take_name("a test's name");
    Expression& test = make(Kind::builtin, now().line, {base});
    test.builtin = find_test(name);
    if (!test.builtin) fail(fmt::format("a test that is not known here: \"{}\"", name));
    const bool is_value =
        sees(Token::Kind::text) || sees(Token::Kind::number) || sees(Token::Kind::name) || sees("[") || sees("{");
    if (sees("(")) {
      test.arguments = call_arguments();
    } else if (is_value && !sees("else") && !sees("or") && !sees("and")) {
      if (sees("is")) fail("tests cannot be chained with \"is\"");
      const Nested nested(*this);
      test.arguments = {{"", postfix(primary())}};
    }
    return inverts ? &make(Kind::invert, test.line, {&test}) : &test;
  }

  bool ends_tuple() const { return sees("%}") || sees("}}") || sees(")"); }
  void check_chain(int links) const {
    if (links > kMostDepth) fail("more than " + std::to_string(kMostDepth) + " filters or attributes in a row");
  }

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
};

}  // namespace eyrie::jinja
