#include "text/jinja/builtins.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/named.h"
#include "text/jinja/python.h"

namespace eyrie::jinja {
namespace {

// What Python's getattr would find.
std::optional<Value> python_attribute(Context& context, const Value& owner, std::string_view name) {
  owner.check_defined();
  if (Object* object = owner.object()) return object->attribute(context, name);
  const Builtin* method = find_method(owner, name);
  if (!method) return std::nullopt;
  return make_function(context, [method, owner](Context& inner, Arguments arguments) {
    return call_builtin(inner, *method, owner, std::move(arguments));
  });
}

Value no_such(Context& context, const Value& owner, const Value& name) {
  return Value::undefined(
      fmt::format("'{} object' has no attribute {}", owner.type_name(), represented(context, name)));
}

// What `is` asks.
Value compared(const Call& call, std::string_view sign) { return operate(call.context, sign, call.self, call[0]); }

bool divides(const Call& call, const Value& divisor, int64_t rest) {
  return equal(call.context, operate(call.context, "%", call.self, divisor), rest);
}

constexpr Builtin kTests[] = {
    {"boolean", "", 0, [](const Call& call) -> Value { return call.self.is_boolean(); }},
    {"defined", "", 0, [](const Call& call) -> Value { return !call.self.is_undefined(); }},
    {"divisibleby", "num", 1, [](const Call& call) -> Value { return divides(call, call[0], 0); }},
    {"even", "", 0, [](const Call& call) -> Value { return divides(call, int64_t{2}, 0); }},
    {"false", "", 0, [](const Call& call) -> Value { return call.self.is_boolean() && !call.self.truth(); }},
    {"float", "", 0, [](const Call& call) -> Value { return call.self.is_float(); }},
    {"integer", "", 0, [](const Call& call) -> Value { return call.self.is_whole() && !call.self.is_boolean(); }},
    {"iterable", "", 0, [](const Call& call) -> Value { return is_iterable(call.self); }},
    {"mapping", "", 0, [](const Call& call) -> Value { return call.self.is_dictionary(); }},
    {"none", "", 0, [](const Call& call) -> Value { return call.self.is_none(); }},
    {"number", "", 0, [](const Call& call) -> Value { return call.self.is_number(); }},
    {"odd", "", 0, [](const Call& call) -> Value { return divides(call, int64_t{2}, 1); }},
    {"sequence", "", 0, [](const Call& call) -> Value { return is_iterable(call.self); }},
    {"string", "", 0, [](const Call& call) -> Value { return call.self.is_text(); }},
    {"true", "", 0, [](const Call& call) -> Value { return call.self.is_boolean() && call.self.truth(); }},
    {"undefined", "", 0, [](const Call& call) -> Value { return call.self.is_undefined(); }},
    {"in", "seq", 1, [](const Call& call) -> Value { return compared(call, "in"); }},
    {"==", "-", 1, [](const Call& call) -> Value { return compared(call, "=="); }},
    {"eq", "-", 1, [](const Call& call) -> Value { return compared(call, "=="); }},
    {"equalto", "-", 1, [](const Call& call) -> Value { return compared(call, "=="); }},
    {"!=", "-", 1, [](const Call& call) -> Value { return compared(call, "!="); }},
    {"ne", "-", 1, [](const Call& call) -> Value { return compared(call, "!="); }},
    {"lt", "-", 1, [](const Call& call) -> Value { return compared(call, "<"); }},
    {"le", "-", 1, [](const Call& call) -> Value { return compared(call, "<="); }},
    {"gt", "-", 1, [](const Call& call) -> Value { return compared(call, ">"); }},
    {"ge", "-", 1, [](const Call& call) -> Value { return compared(call, ">="); }},
};

}  // namespace

Call::Call(Context& around, const Builtin& builtin, const Value& called_on, Arguments arguments)
    : context(around), self(called_on), name_(builtin.name) {
  if (builtin.parameters == "*") {
    any = std::move(arguments);
    return;
  }
  const std::vector<std::string_view> names = split_at_space(builtin.parameters, SIZE_MAX);
  values_.resize(names.size());
  if (arguments.positional.size() > names.size())
    fail(fmt::format("{} takes at most {} arguments, found {}", name_, names.size(), arguments.positional.size()));
  std::move(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (auto& [name, value] : arguments.named) {
    const auto found = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (found == names.size() || values_[found]) fail(fmt::format("{} takes no argument '{}' here", name_, name));
    values_[found] = std::move(value);
  }
  for (size_t i = 0; i < builtin.required; ++i)
    if (!values_[i]) fail(fmt::format("{} misses its argument {}", name_, i + 1));
}

int64_t Call::whole(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (!values_[i]->is_whole())
    fail(fmt::format("{}: expected a whole number, found '{}'", name_, values_[i]->type_name()));
  return values_[i]->whole();
}

std::string Call::text(size_t i, const char* otherwise) const {
  if (i >= values_.size() || !values_[i]) return otherwise;
  if (!values_[i]->is_text()) fail(fmt::format("{}: expected a string, found '{}'", name_, values_[i]->type_name()));
  return values_[i]->text();
}

Value call_builtin(Context& context, const Builtin& builtin, const Value& self, Arguments arguments) {
  const auto charge = [&](const Value& value) { context.spend(value.is_text() ? 1 + value.text().size() / 256 : 1); };
  charge(self);
  for (const Value& argument : arguments.positional) charge(argument);
  if (++context.builtins > kMostDepth) fail(fmt::format("filters nested deeper than {}", kMostDepth));
  Value value = builtin.function(Call(context, builtin, self, std::move(arguments)));
  --context.builtins;
  return value;
}

Value make_function(Context& context, std::function<Value(Context&, Arguments)> body) {
  Object* function = context.keep(std::make_unique<Object>());
  function->call = std::move(body);
  return function;
}

const Builtin* find_test(std::string_view name) { return find_named(kTests, name); }

Value attribute_of(Context& context, const Value& value, const std::string& name) {
  if (std::optional<Value> found = python_attribute(context, value, name)) return *found;
  if (value.is_dictionary())
    if (const Value* found = value.dictionary().find(context, Value(name))) return *found;
  return no_such(context, value, Value(name));
}

Value item_of(Context& context, const Value& value, const Value& index) {
  if (std::optional<Value> found = find_item(context, value, index)) return *found;
  if (index.is_text())
    if (std::optional<Value> found = python_attribute(context, value, index.text())) return *found;
  return no_such(context, value, index);
}

}  // namespace eyrie::jinja
