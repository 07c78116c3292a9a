#include "text/jinja/callables.h"

#include <fmt/core.h>

namespace eyrie::jinja {

Loop::Loop(Interpreter& interpreter, const Statement& statement, Values items, int64_t depth)
    : interpreter_(interpreter),
      statement_(statement),
      scope_(interpreter.scope_),
      items_(std::move(items)),
      depth_(depth) {
  for (const Value& item : items_) value_depth_ = deeper_than(value_depth_, item);
  if (!statement.expressions[1]) length_ = std::ssize(items_);
}

std::optional<Value> Loop::pull() {
  const Expression* condition = statement_.expressions[1];
  while (position_ < items_.size()) {
    const Value& item = items_[position_++];
    if (!condition) return item;
    auto outer = std::exchange(interpreter_.scope_, std::make_shared<Scope>(Scope{scope_}));
    interpreter_.assign(*statement_.targets[0], item);
    const bool passes = interpreter_.evaluate(*condition).truth();
    interpreter_.scope_ = std::move(outer);
    if (passes) return item;
  }
  return std::nullopt;
}

const std::optional<Value>& Loop::peek() {
  if (!after_) after_ = pull();
  return after_;
}

bool Loop::next() {
  std::optional<Value> item = after_ ? std::exchange(after_, {}) : pull();
  if (!item) return false;
  ++index_;
  before_ = std::exchange(current_, std::move(item));
  return true;
}

int64_t Loop::length() {
  if (!length_) {
    Values rest;
    while (std::optional<Value> item = pull()) rest.push_back(std::move(*item));
    length_ = std::ssize(rest) + index_ + 1 + (after_ ? 1 : 0);
    items_ = std::move(rest);
    position_ = 0;
  }
  return *length_;
}

Value Loop::cycle(Arguments arguments) const {
  if (arguments.positional.empty()) fail("loop.cycle() without items");
  return arguments.positional[static_cast<size_t>(index_) % arguments.positional.size()];
}

bool Loop::changed(Context& context, Values values) {
  const auto same = [&](const Value& one, const Value& other) { return equal(context.work, one, other); };
  if (last_changed_ && std::equal(last_changed_->begin(), last_changed_->end(), values.begin(), values.end(), same))
    return false;
  for (const Value& value : values) value_depth_ = deeper_than(value_depth_, value);
  last_changed_ = std::move(values);
  return true;
}

std::optional<Value> Loop::attribute(Context&, std::string_view name) {
  if (name == "index") return index_ + 1;
  if (name == "index0") return index_;
  if (name == "first") return index_ == 0;
  if (name == "last") return !peek();
  if (name == "length") return length();
  if (name == "revindex") return length() - index_;
  if (name == "revindex0") return length() - index_ - 1;
  if (name == "depth") return depth_ + 1;
  if (name == "depth0") return depth_;
  if (name == "previtem") return before_ ? *before_ : Value::undefined("there is no previous item");
  if (name == "nextitem") return peek() ? *after_ : Value::undefined("there is no next item");
  const auto self = shared_from_this();
  if (name == "cycle")
    return make_function([self](Context&, Arguments given) { return self->cycle(std::move(given)); }, value_depth_);
  if (name == "changed")
    return make_function(
        [self](Context& context, Arguments given) -> Value {
          return self->changed(context, std::move(given.positional));
        },
        value_depth_);
  return std::nullopt;
}

Value Loop::call(Context&, Arguments arguments) {
  if (!statement_.recursive) fail("a loop that is called needs the word \"recursive\"");
  if (arguments.positional.size() != 1 || !arguments.named.empty()) fail("a loop is called with what it goes over");
  return interpreter_.called([&] {
    auto outer = std::exchange(interpreter_.scope_, scope_);
    interpreter_.execute_loop(statement_, arguments.positional[0], depth_ + 1);
    interpreter_.scope_ = std::move(outer);
  });
}

std::optional<Value> Macro::attribute(Context&, std::string_view name) {
  if (name == "name") return Value(statement_.signature.name);
  return std::nullopt;
}

void Macro::bind(Scope& scope, Arguments arguments) {
  const Signature& signature = statement_.signature;
  Values& given = arguments.positional;
  auto& named = arguments.named;
  const auto take = [&](std::string_view name, Value& value) {
    const auto found = std::find_if(named.begin(), named.end(), [&](auto& one) { return one.first == name; });
    if (found == named.end()) return false;
    value = std::move(found->second);
    named.erase(found);
    return true;
  };
  bool caller_bound = false;
  std::vector<const Parameter*> missing;
  for (size_t i = 0; i < signature.parameters.size(); ++i) {
    const Parameter& parameter = signature.parameters[i];
    caller_bound = caller_bound || parameter.name == "caller";
    Value value = Value::undefined(fmt::format("parameter '{}' was not provided", parameter.name));
    const bool is_missing = i >= given.size() && !take(parameter.name, value);
    scope.set(parameter.symbol, i < given.size() ? given[i] : value);
    if (is_missing && parameter.otherwise) missing.push_back(&parameter);
  }
  // One after the other: a default sees the parameters before it.
  for (const Parameter* parameter : missing) scope.set(parameter->symbol, interpreter_.evaluate(*parameter->otherwise));
  const auto special = [&](const char* name) { return interpreter_.program_.symbols.find(name)->second; };
  if (signature.reads_caller && !caller_bound) {
    Value caller = Value::undefined("No caller defined");
    take("caller", caller);
    scope.set(special("caller"), caller);
  }
  if (signature.reads_kwargs) {
    std::vector<Pair> pairs;
    for (auto& [name, value] : named) pairs.emplace_back(name, std::move(value));
    scope.set(special("kwargs"), make_dictionary(interpreter_.context_.work, std::move(pairs)));
  } else if (!named.empty()) {
    fail(fmt::format("macro '{}' takes no keyword argument '{}'", signature.name, named[0].first));
  }
  const size_t taken = std::min(given.size(), signature.parameters.size());
  if (signature.reads_varargs)
    scope.set(special("varargs"), make_tuple(interpreter_.context_.work,
                                             Values(given.begin() + static_cast<std::ptrdiff_t>(taken), given.end())));
  else if (given.size() > taken)
    fail(fmt::format("macro '{}' takes not more than {} arguments", signature.name, taken));
}

Value Macro::call(Context&, Arguments arguments) {
  return interpreter_.called([&] {
    auto outer = std::exchange(interpreter_.scope_, std::make_shared<Scope>(Scope{scope_}));
    bind(*interpreter_.scope_, std::move(arguments));
    interpreter_.execute(statement_.bodies[0]);
    interpreter_.scope_ = std::move(outer);
  });
}

}  // namespace eyrie::jinja
