// The expressions of the interpreter.
#include <fmt/core.h>

#include "text/jinja/interpreter.h"

namespace eyrie::jinja {

using Kind = Expression::Kind;

Value Interpreter::evaluate(const Expression& expression) {
  context_.work.spend();
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
      if (const Value* found = find(expression.symbol)) return *found;
      return Value::undefined(fmt::format("'{}' is undefined", expression.name));
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
    case Kind::negate:
      return negative(part(0));
    case Kind::plus:
      return arithmetic(context_.work, Operator::add, int64_t{0}, part(0));
    case Kind::invert:
      return !part(0).truth();
    case Kind::arithmetic:
      return arithmetic_of(expression);
    case Kind::comparison:
      return comparison_of(expression);
    case Kind::concatenate:
      return concatenation_of(expression);
    case Kind::all_of:
      return logical_of(expression, false);
    case Kind::any_of:
      return logical_of(expression, true);
    case Kind::conditional:
      return conditional_of(expression);
    case Kind::list:
    case Kind::tuple:
    case Kind::dictionary:
      return container_of(expression);
  }
  return {};
}

Value Interpreter::arithmetic_of(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    const Value right = evaluate(*expression.parts[i + 1]);
    left = arithmetic(context_.work, expression.operators[i], left, right);
  }
  return left;
}

bool Interpreter::comparison_of(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.parts[i + 1]);
    if (!compare(context_.work, expression.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::concatenation_of(const Expression& expression) {
  TextBuilder text(context_.work);
  for (const Expression* part : expression.parts) write(context_.work, text, evaluate(*part));
  return Value(text.take());
}

// Python's `and` and `or` give the value that decided.
Value Interpreter::logical_of(const Expression& expression, bool decisive) {
  Value value;
  for (const Expression* part : expression.parts) {
    value = evaluate(*part);
    if (value.truth() == decisive) break;
  }
  return value;
}

Value Interpreter::conditional_of(const Expression& expression) {
  if (evaluate(*expression.parts[1]).truth()) return evaluate(*expression.parts[0]);
  if (expression.parts[2]) return evaluate(*expression.parts[2]);
  return Value::undefined("the inline if-expression has no else, and its condition is false");
}

Value Interpreter::container_of(const Expression& expression) {
  Values values;
  for (const Expression* part : expression.parts) values.push_back(evaluate(*part));
  if (expression.kind == Kind::list) return make_list(context_.work, std::move(values));
  if (expression.kind == Kind::tuple) return make_tuple(context_.work, std::move(values));
  std::vector<Pair> pairs;
  for (size_t i = 0; i < values.size(); i += 2) pairs.emplace_back(std::move(values[i]), std::move(values[i + 1]));
  return make_dictionary(context_.work, std::move(pairs));
}

Value Interpreter::slice_of(const Expression& expression) {
  const Value value = evaluate(*expression.parts[0]);
  const auto bound = [&](size_t i) { return expression.parts[i] ? evaluate(*expression.parts[i]) : Value::none(); };
  const Value begin = bound(1), end = bound(2), step = bound(3);
  return slice(context_.work, value, begin, end, step);
}

Value Interpreter::builtin_of(const Expression& expression) {
  const Value self = expression.parts[0] ? evaluate(*expression.parts[0]) : block_text_;
  return call_builtin(context_, *expression.builtin, self, arguments_of(expression));
}

Value Interpreter::call_of(const Expression& expression, const Value* caller) {
  const Expression& callee = *expression.parts[0];
  const auto arguments = [&] {
    Arguments found = arguments_of(expression);
    if (caller) found.named.emplace_back("caller", *caller);
    return found;
  };
  if (callee.kind == Kind::attribute) {
    const Value self = evaluate(*callee.parts[0]);
    // A method is called where it is found, without an object of its own.
    if (const Builtin* method = find_method(self, callee.name))
      return call_builtin(context_, *method, self, arguments());
    return call(attribute_of(context_, self, callee.name), arguments());
  }
  const Value called = evaluate(callee);
  return call(called, arguments());
}

Value Interpreter::call(const Value& callee, Arguments arguments) {
  if (callee.is_undefined()) fail(callee.why_undefined());
  if (!callee.is_object()) fail(fmt::format("'{}' object is not callable", callee.type_name()));
  return callee.object().call(context_, std::move(arguments));
}

Arguments Interpreter::arguments_of(const Expression& expression) {
  using Argument = CallArgument::Kind;
  Arguments arguments;
  for (const CallArgument& argument : expression.arguments) {
    Value value = evaluate(*argument.value);
    if (argument.kind == Argument::positional) {
      arguments.positional.push_back(std::move(value));
    } else if (argument.kind == Argument::named) {
      arguments.named.emplace_back(argument.name, std::move(value));
    } else if (argument.kind == Argument::items) {
      for (Value& item : items_of(context_.work, value)) arguments.positional.push_back(std::move(item));
    } else {
      if (!value.is_dictionary()) fail("what stands behind ** is no dict");
      for (const auto& [name, member] : value.dictionary().pairs()) {
        if (!name.is_text()) fail("keywords must be strings");
        arguments.named.emplace_back(name.text(), member);
      }
    }
  }
  return arguments;
}

}  // namespace eyrie::jinja
