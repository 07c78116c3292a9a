// The expressions of the interpreter.
#include <fmt/core.h>

#include "text/jinja/interpreter.h"

namespace eyrie::jinja {

using Kind = Expression::Kind;

Value Interpreter::evaluate(const Expression& expression) {
  context_.spend();
  const int outer = std::exchange(line_, expression.line);
  if (++nesting_ > kMostNesting) fail(fmt::format("nested deeper than {} when rendered", kMostNesting));
  Value value = value_of(expression);
  --nesting_;
  line_ = outer;
  return value;
}

Value Interpreter::value_of(const Expression& expression) {
  const auto part = [&](size_t i) { return evaluate(*expression.parts[i]); };
  switch (expression.kind) {
    case Kind::constant:
      return expression.constant;
    case Kind::variable:
      return find(expression.name);
    case Kind::attribute:
      return attribute_of(context_, part(0), expression.name);
    case Kind::item: {
      const Value owner = part(0);
      return item_of(context_, owner, part(1));
    }
    case Kind::slice:
      return slice_of(expression);
    case Kind::call:
      return call_of(expression);
    case Kind::filter:
    case Kind::test:
      return builtin_of(expression);
    case Kind::invert:
      return !part(0).truth();
    case Kind::operation:
      return operation_of(expression);
    case Kind::conditional:
      return conditional_of(expression);
    case Kind::list:
    case Kind::tuple:
    case Kind::dictionary:
      return container_of(expression);
  }
  return {};
}

// All operators of one operation bind alike: what decides an `and` or `or` ends it.
Value Interpreter::operation_of(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    const Operator operation = expression.operators[i];
    const bool is_logical = operation == Operator::any_of || operation == Operator::all_of;
    if (is_logical && left.truth() == (operation == Operator::any_of)) break;
    const Value right = evaluate(*expression.parts[i + 1]);
    left = is_logical ? right : operate(context_, operation, left, right);
  }
  return left;
}

Value Interpreter::conditional_of(const Expression& expression) {
  if (evaluate(*expression.parts[1]).truth()) return evaluate(*expression.parts[0]);
  if (expression.parts[2]) return evaluate(*expression.parts[2]);
  return Value::undefined("the inline if-expression has no else, and its condition is false");
}

Value Interpreter::container_of(const Expression& expression) {
  Values values;
  for (const Expression* part : expression.parts) values.push_back(evaluate(*part));
  if (expression.kind == Kind::list) return make_sequence(context_, std::move(values));
  if (expression.kind == Kind::tuple) return make_sequence(context_, std::move(values), true);
  Pairs pairs;
  for (size_t i = 0; i < values.size(); i += 2) pairs.emplace_back(std::move(values[i]), std::move(values[i + 1]));
  return make_dictionary(context_, std::move(pairs));
}

Value Interpreter::slice_of(const Expression& expression) {
  const Value value = evaluate(*expression.parts[0]);
  const auto bound = [&](size_t i) { return expression.parts[i] ? evaluate(*expression.parts[i]) : Value::none(); };
  const Value begin = bound(1), end = bound(2), step = bound(3);
  return slice(context_, value, begin, end, step);
}

Value Interpreter::builtin_of(const Expression& expression) {
  const Value self = expression.parts[0] ? evaluate(*expression.parts[0]) : block_text_;
  return call_builtin(context_, *expression.builtin, self, arguments_of(expression));
}

Value Interpreter::call_of(const Expression& expression, const Statement* caller) {
  const Expression& callee = *expression.parts[0];
  const auto arguments = [&] {
    Arguments found = arguments_of(expression);
    if (caller) found.named.emplace_back("caller", make_macro(*caller));
    return found;
  };
  if (callee.kind == Kind::attribute) {
    const Value self = evaluate(*callee.parts[0]);
    // A method is called where it is found, without an object of its own.
    if (const Builtin* method = find_method(self, callee.name))
      return call_builtin(context_, *method, self, arguments());
  }
  const Value called = evaluate(callee);
  called.check_defined();
  if (!called.object()) fail(fmt::format("'{}' object is not callable", called.type_name()));
  return called.object()->call(context_, arguments());
}

Arguments Interpreter::arguments_of(const Expression& expression) {
  Arguments arguments;
  for (const auto& [name, argument] : expression.arguments) {
    if (name.empty())
      arguments.positional.push_back(evaluate(*argument));
    else
      arguments.named.emplace_back(name, evaluate(*argument));
  }
  return arguments;
}

}  // namespace eyrie::jinja
