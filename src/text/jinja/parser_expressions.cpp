#include <fmt/core.h>

#include "text/jinja/parser.h"

namespace eyrie::jinja {

using Kind = Expression::Kind;

const Token& ExpressionParser::take(Token::Kind kind, const char* expected) {
  if (!sees(kind)) fail_expected(expected);
  return tokens_[at_++];
}

void ExpressionParser::expect_sign(std::string_view text) {
  if (!take_sign(text)) fail_expected(fmt::format("\"{}\"", text));
}

void ExpressionParser::expect_name(std::string_view text) {
  if (!take_name(text)) fail_expected(fmt::format("\"{}\"", text));
}

void ExpressionParser::fail_expected(std::string_view expected) const {
  fail(fmt::format("expected {}, found {}", expected, described(now())));
}

Expression& ExpressionParser::make(Kind kind, int line, std::vector<const Expression*> parts) {
  return program_.expressions.emplace_back(Expression{.kind = kind, .line = line, .parts = std::move(parts)});
}

const Expression* ExpressionParser::variable(const std::string& name) {
  Expression& variable = make(Kind::variable, now().line);
  variable.symbol = program_.symbol(name);
  variable.name = name;
  return &variable;
}

const Expression* ExpressionParser::expression(bool with_conditional) {
  const Nested nested(*this);
  const int line = now().line;
  const Expression* value = any_of();
  int chain = 0;
  while (with_conditional && take_name("if")) {
    if (++chain > kMostDepth) fail("too many conditionals in a row");
    const Expression* condition = any_of();
    const Expression* otherwise = take_name("else") ? expression() : nullptr;
    value = &make(Kind::conditional, line, {value, condition, otherwise});
  }
  return value;
}

const Expression* ExpressionParser::joined(Kind kind, Parse operand, std::string_view word) {
  const int line = now().line;
  std::vector<const Expression*> parts = {(this->*operand)()};
  while (take_name(word) || take_sign(word)) parts.push_back((this->*operand)());
  return parts.size() == 1 ? parts[0] : &make(kind, line, std::move(parts));
}

const Expression* ExpressionParser::inverted() {
  const int line = now().line;
  if (!take_name("not")) return comparison();
  const Nested nested(*this);
  return &make(Kind::invert, line, {inverted()});
}

const Expression* ExpressionParser::comparison() {
  static constexpr std::pair<std::string_view, Operator> kSigns[] = {{"==", Operator::eq}, {"!=", Operator::ne},
                                                                     {"<", Operator::lt},  {"<=", Operator::le},
                                                                     {">", Operator::gt},  {">=", Operator::ge}};
  const int line = now().line;
  std::vector<const Expression*> parts = {sum()};
  std::vector<Operator> operators;
  for (;;) {
    const auto sign =
        std::find_if(std::begin(kSigns), std::end(kSigns), [&](auto& one) { return take_sign(one.first); });
    if (sign != std::end(kSigns))
      operators.push_back(sign->second);
    else if (take_name("in"))
      operators.push_back(Operator::in);
    else if (sees_name("not") && ahead().kind == Token::Kind::name && ahead().text == "in")
      operators.push_back(Operator::not_in), at_ += 2;
    else
      break;
    parts.push_back(sum());
  }
  if (operators.empty()) return parts[0];
  Expression& comparison = make(Kind::comparison, line, std::move(parts));
  comparison.operators = std::move(operators);
  return &comparison;
}

const Expression* ExpressionParser::operation(Parse operand, Signs signs) {
  const int line = now().line;
  std::vector<const Expression*> parts = {(this->*operand)()};
  std::vector<Operator> operators;
  for (;;) {
    const auto sign = std::find_if(signs.begin(), signs.end(), [&](auto& one) { return take_sign(one.first); });
    if (sign == signs.end()) break;
    operators.push_back(sign->second);
    parts.push_back((this->*operand)());
  }
  if (operators.empty()) return parts[0];
  Expression& operation = make(Kind::arithmetic, line, std::move(parts));
  operation.operators = std::move(operators);
  return &operation;
}

const Expression* ExpressionParser::sum() {
  return operation(&ExpressionParser::concatenation, {{"+", Operator::add}, {"-", Operator::subtract}});
}

const Expression* ExpressionParser::product() {
  return operation(
      &ExpressionParser::power,
      {{"*", Operator::multiply}, {"/", Operator::divide}, {"//", Operator::floor_divide}, {"%", Operator::modulo}});
}

// From the left, unlike Python's: jinja's own.
const Expression* ExpressionParser::power() { return operation(&ExpressionParser::unary, {{"**", Operator::power}}); }

const Expression* ExpressionParser::signed_operand(bool with_filters) {
  const int line = now().line;
  const Expression* operand = nullptr;
  if (sees_sign("-") || sees_sign("+")) {
    const Nested nested(*this);
    const Kind kind = sees_sign("-") ? Kind::negate : Kind::plus;
    ++at_;
    operand = &make(kind, line, {signed_operand(false)});
  } else {
    operand = primary();
  }
  operand = postfix(operand);
  if (!with_filters) return operand;
  for (int links = 0; links <= kMostDepth; ++links) {
    if (sees_sign("|"))
      ++at_, operand = filter(operand);
    else if (take_name("is"))
      operand = test(operand);
    else if (sees_sign("("))
      operand = call(operand);
    else
      return operand;
  }
  fail("too many filters in a row");
}

const Expression* ExpressionParser::primary() {
  const Token& token = now();
  if (sees(Token::Kind::name)) {
    ++at_;
    const bool truth = token.text == "true" || token.text == "True";
    Expression constant{.kind = Kind::constant, .line = token.line};
    if (truth || token.text == "false" || token.text == "False")
      constant.constant = truth;
    else if (token.text == "none" || token.text == "None")
      constant.constant = Value::none();
    else
      return read_.insert(token.text), program_.mention(token.text), variable(token.text);
    return &program_.expressions.emplace_back(std::move(constant));
  }
  if (take_sign("(")) {
    const Expression* inside = tuple(true, true);
    expect_sign(")");
    return inside;
  }
  if (sees_sign("[")) return list();
  if (sees_sign("{")) return dictionary();
  Expression& constant = make(Kind::constant, token.line);
  if (sees(Token::Kind::text)) {
    std::string text;
    while (sees(Token::Kind::text)) text += tokens_[at_++].text;
    program_.mention(text);
    constant.constant = Value(std::move(text));
  } else if (sees(Token::Kind::whole)) {
    constant.constant = tokens_[at_++].whole;
  } else if (sees(Token::Kind::real)) {
    constant.constant = tokens_[at_++].real;
  } else {
    fail_expected("a value");
  }
  return &constant;
}

const Expression* ExpressionParser::tuple(bool with_conditional, bool in_brackets) {
  const int line = now().line;
  std::vector<const Expression*> parts;
  bool is_tuple = false;
  while (!ends_tuple()) {
    parts.push_back(expression(with_conditional));
    if (!take_sign(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && parts.size() == 1) return parts[0];
  if (!is_tuple && !in_brackets) fail_expected("a value");
  return &make(Kind::tuple, line, std::move(parts));
}

const Expression* ExpressionParser::single_target(bool with_attributes) {
  const int line = now().line;
  if (take_sign("(")) {
    const Nested nested(*this);
    const Expression* inside = target(false);
    expect_sign(")");
    return inside;
  }
  const std::string name = take(Token::Kind::name, "a name to set").text;
  for (const char* constant : {"true", "false", "none", "True", "False", "None"})
    if (name == constant) fail(fmt::format("{} cannot be set", name));
  const Expression* target = variable(name);
  if (!with_attributes || !take_sign(".")) return target;
  Expression& attribute = make(Kind::attribute, line, {target});
  attribute.name = take(Token::Kind::name, "an attribute's name").text;
  return &attribute;
}

const Expression* ExpressionParser::target(bool with_attributes) {
  const int line = now().line;
  std::vector<const Expression*> parts = {single_target(with_attributes)};
  bool is_tuple = false;
  while (take_sign(",")) {
    is_tuple = true;
    if (ends_tuple()) break;
    parts.push_back(single_target(with_attributes));
  }
  return is_tuple ? &make(Kind::tuple, line, std::move(parts)) : parts[0];
}

const Expression* ExpressionParser::list() {
  const int line = now().line;
  expect_sign("[");
  std::vector<const Expression*> parts;
  while (!sees_sign("]")) {
    if (!parts.empty()) expect_sign(",");
    if (sees_sign("]")) break;
    parts.push_back(expression());
  }
  expect_sign("]");
  return &make(Kind::list, line, std::move(parts));
}

const Expression* ExpressionParser::dictionary() {
  const int line = now().line;
  expect_sign("{");
  std::vector<const Expression*> parts;
  while (!sees_sign("}")) {
    if (!parts.empty()) expect_sign(",");
    if (sees_sign("}")) break;
    parts.push_back(expression());
    expect_sign(":");
    parts.push_back(expression());
  }
  expect_sign("}");
  return &make(Kind::dictionary, line, std::move(parts));
}

const Expression* ExpressionParser::postfix(const Expression* base) {
  for (int links = 0; links <= kMostDepth; ++links) {
    if (sees_sign(".") || sees_sign("["))
      base = subscript(base);
    else if (sees_sign("("))
      base = call(base);
    else
      return base;
  }
  fail("too many attributes in a row");
}

const Expression* ExpressionParser::subscript(const Expression* base) {
  const int line = now().line;
  if (take_sign("[")) {
    const Expression* found = subscripted(base);
    expect_sign("]");
    return found;
  }
  expect_sign(".");
  if (sees(Token::Kind::whole)) {
    Expression& index = make(Kind::constant, line);
    index.constant = tokens_[at_++].whole;
    return &make(Kind::item, line, {base, &index});
  }
  Expression& attribute = make(Kind::attribute, line, {base});
  attribute.name = take(Token::Kind::name, "an attribute's name").text;
  program_.mention(attribute.name);
  return &attribute;
}

// Behind "[": an index, several (a tuple), or a slice.
const Expression* ExpressionParser::subscripted(const Expression* base) {
  const int line = now().line;
  const auto bound = [&]() -> const Expression* { return sees_sign(":") || sees_sign("]") ? nullptr : expression(); };
  const Expression* first = bound();
  if (take_sign(":")) {
    const Expression* end = bound();
    const Expression* step = take_sign(":") ? bound() : nullptr;
    return &make(Kind::slice, line, {base, first, end, step});
  }
  if (!first) return &make(Kind::item, line, {base, &make(Kind::tuple, line)});
  std::vector<const Expression*> indices = {first};
  while (take_sign(",")) indices.push_back(expression());
  if (indices.size() > 1) first = &make(Kind::tuple, line, std::move(indices));
  return &make(Kind::item, line, {base, first});
}

const Expression* ExpressionParser::call(const Expression* base) {
  const int line = now().line;
  if (base->kind == Kind::attribute && is_unknown_method(base->name))
    fail(fmt::format("a method that is not known here: \"{}\"", base->name));
  std::vector<CallArgument> arguments = call_arguments();
  Expression& call = make(Kind::call, line, {base});
  call.arguments = std::move(arguments);
  return &call;
}

std::vector<CallArgument> ExpressionParser::call_arguments() {
  using Argument = CallArgument::Kind;
  std::vector<CallArgument> arguments;
  expect_sign("(");
  while (!sees_sign(")")) {
    if (!arguments.empty()) expect_sign(",");
    if (sees_sign(")")) break;
    const Argument last = arguments.empty() ? Argument::positional : arguments.back().kind;
    CallArgument argument{Argument::positional, {}, nullptr};
    if (take_sign("*")) {
      argument.kind = Argument::items;
    } else if (take_sign("**")) {
      argument.kind = Argument::members;
    } else if (sees(Token::Kind::name) && ahead().kind == Token::Kind::sign && ahead().text == "=") {
      argument.kind = Argument::named;
      argument.name = now().text;
      at_ += 2;
    }
    const bool fits = argument.kind == Argument::positional ? last == Argument::positional
                      : argument.kind == Argument::items    ? last <= Argument::named
                                                            : last != Argument::members;
    if (!fits) fail("the arguments of a call: values come first, then *values, name=value, then **members");
    argument.value = expression();
    arguments.push_back(std::move(argument));
  }
  expect_sign(")");
  return arguments;
}

std::string ExpressionParser::dotted_name(const char* expected) {
  std::string name = take(Token::Kind::name, expected).text;
  while (take_sign(".")) name += "." + take(Token::Kind::name, expected).text;
  return name;
}

const Expression* ExpressionParser::filters(const Expression* base) {
  for (int links = 0; take_sign("|"); ++links) {
    if (links > kMostDepth) fail("too many filters in a row");
    base = filter(base);
  }
  return base;
}

const Expression* ExpressionParser::filter(const Expression* base) {
  const int line = now().line;
  const std::string name = dotted_name("a filter's name");
  const Builtin* builtin = find_filter(name);
  if (!builtin) fail(fmt::format("a filter that is not known here: \"{}\"", name));
  std::vector<CallArgument> arguments;
  if (sees_sign("(")) arguments = call_arguments();
  Expression& filter = make(Kind::filter, line, {base});
  filter.builtin = builtin;
  filter.arguments = std::move(arguments);
  return &filter;
}

const Expression* ExpressionParser::test(const Expression* base) {
  const int line = now().line;
  const bool inverts = take_name("not");
  const std::string name = dotted_name("a test's name");
  const Builtin* builtin = find_test(name);
  if (!builtin) fail(fmt::format("a test that is not known here: \"{}\"", name));
  std::vector<CallArgument> arguments;
  const bool is_value = sees(Token::Kind::name) || sees(Token::Kind::text) || sees(Token::Kind::whole) ||
                        sees(Token::Kind::real) || sees_sign("[") || sees_sign("{");
  if (sees_sign("(")) {
    arguments = call_arguments();
  } else if (is_value && !sees_name("else") && !sees_name("or") && !sees_name("and")) {
    if (sees_name("is")) fail("tests cannot be chained with \"is\"");
    const Nested nested(*this);
    arguments.push_back({CallArgument::Kind::positional, {}, postfix(primary())});
  }
  Expression& test = make(Kind::test, line, {base});
  test.builtin = builtin;
  test.arguments = std::move(arguments);
  return inverts ? &make(Kind::invert, line, {&test}) : &test;
}

}  // namespace eyrie::jinja
