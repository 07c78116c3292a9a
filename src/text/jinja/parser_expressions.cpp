#include <fmt/core.h>

#include "text/jinja/parser.h"

namespace eyrie::jinja {

using Kind = Expression::Kind;

bool ExpressionParser::sees(std::string_view word, size_t ahead) const {
  const Token& token = tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  return (token.kind == Token::Kind::name || token.kind == Token::Kind::sign) && token.text == word;
}

void ExpressionParser::expect(std::string_view word) {
  if (!take(word)) fail_expected(fmt::format("\"{}\"", word));
}

std::string ExpressionParser::take_name(const char* expected) {
  if (!sees(Token::Kind::name)) fail_expected(expected);
  return tokens_[at_++].text;
}

void ExpressionParser::fail_expected(std::string_view expected) const {
  static constexpr const char* kKinds[] = {
      "text", "", "", "a string", "a number", "a number", "the end of the template"};
  const bool is_word = sees(Token::Kind::name) || sees(Token::Kind::sign);
  const std::string found = is_word ? fmt::format("\"{}\"", now().text) : kKinds[static_cast<size_t>(now().kind)];
  fail(fmt::format("expected {}, found {}", expected, found));
}

Expression& ExpressionParser::make(Kind kind, int line, std::vector<const Expression*> parts) {
  return program_.expressions.emplace_back(Expression{.kind = kind, .line = line, .parts = std::move(parts)});
}

const Expression* ExpressionParser::constant(Value value) {
  Expression& made = make(Kind::constant, now().line);
  made.constant = std::move(value);
  return &made;
}

const Expression* ExpressionParser::variable(const std::string& name) {
  Expression& variable = make(Kind::variable, now().line);
  variable.name = name;
  return &variable;
}

const Expression* ExpressionParser::expression(bool with_conditional) {
  const Nested nested(*this);
  const int line = now().line;
  const Expression* value = binary(0);
  if (!with_conditional || !take("if")) return value;
  const Expression* condition = binary(0);
  return &make(Kind::conditional, line, {value, condition, take("else") ? expression() : nullptr});
}

namespace {

struct Sign {
  int level;  // the higher, the closer it binds
  std::string_view text;
  Operator operation;
};
constexpr Sign kSigns[] = {
    {0, "or", Operator::any_of},  {1, "and", Operator::all_of}, {2, "==", Operator::eq},
    {2, "!=", Operator::ne},      {2, "<", Operator::lt},       {2, "<=", Operator::le},
    {2, ">", Operator::gt},       {2, ">=", Operator::ge},      {2, "in", Operator::in},
    {3, "+", Operator::add},      {3, "-", Operator::subtract}, {4, "~", Operator::concatenate},
    {5, "*", Operator::multiply}, {5, "/", Operator::divide},   {5, "//", Operator::floor_divide},
    {5, "%", Operator::modulo},
};
constexpr int kComparison = 2, kUnary = 6;

}  // namespace

bool ExpressionParser::take_operator(int level, Operator& found) {
  if (level == kComparison && sees("not") && sees("in", 1)) return found = Operator::not_in, at_ += 2, true;
  for (const Sign& sign : kSigns)
    if (sign.level == level && take(sign.text)) return found = sign.operation, true;
  return false;
}

const Expression* ExpressionParser::binary(int level) {
  if (level == kUnary) return unary(true);
  const int line = now().line;
  if (level == kComparison && take("not")) {
    const Nested nested(*this);
    return &make(Kind::invert, line, {binary(level)});
  }
  std::vector<const Expression*> parts = {binary(level + 1)};
  std::vector<Operator> operators;
  for (Operator found{}; take_operator(level, found);) {
    operators.push_back(found);
    parts.push_back(binary(level + 1));
  }
  if (operators.empty()) return parts[0];
  if (level == kComparison && operators.size() > 1) fail("comparisons in a row are not known here");
  Expression& made = make(Kind::operation, line, std::move(parts));
  made.operators = std::move(operators);
  return &made;
}

const Expression* ExpressionParser::unary(bool with_filters) {
  const int line = now().line;
  const Expression* operand = nullptr;
  if (take("-")) {
    const Nested nested(*this);
    const Expression* zero = constant(int64_t{0});
    Expression& negated = make(Kind::operation, line, {zero, unary(false)});
    negated.operators = {Operator::subtract};
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

const Expression* ExpressionParser::primary() {
  const Token& token = now();
  const Expression* word = sees(Token::Kind::name)    ? named(token.text)
                           : sees(Token::Kind::whole) ? constant(token.whole)
                           : sees(Token::Kind::real)  ? constant(token.real)
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

const Expression* ExpressionParser::named(const std::string& name) {
  if (name == "true" || name == "True") return constant(true);
  if (name == "false" || name == "False") return constant(false);
  if (name == "none" || name == "None") return constant(Value::none());
  if (name == "varargs" || name == "kwargs") fail(fmt::format("\"{}\" is not known here", name));
  program_.mention(name);
  return variable(name);
}

const Expression* ExpressionParser::tuple(bool with_conditional, bool may_be_empty) {
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

const Expression* ExpressionParser::target(bool with_attributes) {
  const int line = now().line;
  std::vector<const Expression*> parts;
  const bool in_brackets = take("(");
  do {
    const std::string name = take_name("a name to set");
    for (const char* constant : {"true", "false", "none", "True", "False", "None"})
      if (name == constant) fail(fmt::format("{} cannot be set", name));
    parts.push_back(variable(name));
    if (!with_attributes || !take(".")) continue;
    Expression& attribute = make(Kind::attribute, line, {parts.back()});
    attribute.name = take_name("an attribute's name");
    parts.back() = &attribute;
  } while (take(","));
  if (in_brackets) expect(")");
  return parts.size() > 1 ? &make(Kind::tuple, line, std::move(parts)) : parts[0];
}

const Expression* ExpressionParser::postfix(const Expression* base) {
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

const Expression* ExpressionParser::attribute(const Expression* base) {
  const int line = now().line;
  const std::string name = take_name("an attribute's name");
  if (sees("(") && !is_method(name)) fail(fmt::format("a method that is not known here: \"{}\"", name));
  program_.mention(name);
  Expression& attribute = make(Kind::attribute, line, {base});
  attribute.name = name;
  return &attribute;
}

const Expression* ExpressionParser::subscript(const Expression* base) {
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

const Expression* ExpressionParser::call(const Expression* base) {
  Expression& call = make(Kind::call, now().line, {base});
  call.arguments = call_arguments();
  return &call;
}

std::vector<CallArgument> ExpressionParser::call_arguments() {
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

const Expression* ExpressionParser::filters(const Expression* base, bool at_name) {
  for (int links = 0; at_name || take("|"); ++links) {
    check_chain(links);
    at_name = false;
    const std::string name = take_name("a filter's name");
    Expression& filter = make(Kind::filter, now().line, {base});
    filter.builtin = find_filter(name);
    if (!filter.builtin) fail(fmt::format("a filter that is not known here: \"{}\"", name));
    if (sees("(")) filter.arguments = call_arguments();
    base = &filter;
  }
  return base;
}

const Expression* ExpressionParser::test(const Expression* base) {
  const bool inverts = take("not");
  const std::string name = take_name("a test's name");
  Expression& test = make(Kind::test, now().line, {base});
  test.builtin = find_test(name);
  if (!test.builtin) fail(fmt::format("a test that is not known here: \"{}\"", name));
  const bool is_value = sees(Token::Kind::text) || sees(Token::Kind::whole) || sees(Token::Kind::real) ||
                        sees(Token::Kind::name) || sees("[") || sees("{");
  if (sees("(")) {
    test.arguments = call_arguments();
  } else if (is_value && !sees("else") && !sees("or") && !sees("and")) {
    if (sees("is")) fail("tests cannot be chained with \"is\"");
    const Nested nested(*this);
    test.arguments = {{"", postfix(primary())}};
  }
  return inverts ? &make(Kind::invert, test.line, {&test}) : &test;
}

}  // namespace eyrie::jinja
