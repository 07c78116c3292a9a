#include "text/jinja/builtins.h"

#include <fmt/core.h>

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace eyrie::jinja {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// What the sandbox does not hand out: an undefined value, an error as soon as it is used.
Value forbidden(const Value& owner, std::string_view name) {
  return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe", name, owner.type_name()));
}

bool changes_its_owner(const Value& owner, std::string_view name) {
  const auto one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (owner.is_dictionary()) return one_of({"clear", "pop", "popitem", "setdefault", "update"});
  return owner.is_sequence() && owner.sequence().kind == Sequence::Kind::list &&
         one_of({"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"});
}

// What Python's getattr would find.
std::optional<Value> python_attribute(Context& context, const Value& owner, std::string_view name) {
  if (owner.is_undefined()) fail(owner.why_undefined());
  if (name.substr(0, 2) == "__" && name.size() > 4 && name.substr(name.size() - 2) == "__")
    return forbidden(owner, name);
  if (owner.is_object()) return owner.object().attribute(context, name);
  if (changes_its_owner(owner, name)) return forbidden(owner, name);
  if (owner.is_sequence() && owner.sequence().kind == Sequence::Kind::group && (name == "grouper" || name == "list"))
    return owner.sequence().items[name == "list"];
  const Builtin* method = find_method(owner, name);
  if (!method) return std::nullopt;
  return make_function(
      [method, owner](Context& inner, Arguments arguments) {
        return call_builtin(inner, *method, owner, std::move(arguments));
      },
      deeper_than(0, owner));
}

Value no_such(const Value& owner, const Value& name) {
  const std::string what = name.is_text()    ? fmt::format("attribute '{}'", name.text())
                           : name.is_whole() ? fmt::format("element {}", name.whole())
                                             : fmt::format("element at a {}", name.type_name());
  return Value::undefined(fmt::format("'{} object' has no {}", owner.type_name(), what));
}

}  // namespace

Bound::Bound(const Builtin& builtin, Arguments arguments) : name_(builtin.name) {
  if (builtin.parameters == "*") {
    any_ = std::move(arguments);
    return;
  }
  const std::vector<std::string_view> names = words_of(builtin.parameters);
  values_.resize(names.size());
  if (arguments.positional.size() > names.size())
    fail(fmt::format("{} takes at most {} arguments, found {}", name_, names.size(), arguments.positional.size()));
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = std::move(arguments.positional[i]);
  for (auto& [name, value] : arguments.named) {
    const auto found = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (found == names.size() || values_[found]) fail(fmt::format("{} takes no argument '{}' here", name_, name));
    values_[found] = std::move(value);
  }
  for (size_t i = 0; i < builtin.required; ++i)
    if (!values_[i]) fail(fmt::format("{} misses its argument {}", name_, i + 1));
}

int64_t Bound::whole(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (!values_[i]->is_whole())
    fail(fmt::format("{}: expected a whole number, found '{}'", name_, values_[i]->type_name()));
  return values_[i]->whole();
}

const std::string& Bound::text(size_t i, const std::string& otherwise) const {
  if (!has(i)) return otherwise;
  if (!values_[i]->is_text()) fail(fmt::format("{}: expected a string, found '{}'", name_, values_[i]->type_name()));
  return values_[i]->text();
}

Value call_builtin(Context& context, const Builtin& builtin, const Value& self, Arguments arguments) {
  const auto charge = [&](const Value& value) {
    context.work.spend(value.is_text() ? 1 + value.text().size() / 256 : 1);
  };
  charge(self);
  for (const Value& argument : arguments.positional) charge(argument);
  if (++context.builtins > kMostDepth) fail(fmt::format("filters nested deeper than {}", kMostDepth));
  Value value = builtin.function(context, self, Bound(builtin, std::move(arguments)));
  --context.builtins;
  return value;
}

const Builtin* find_builtin(Builtins table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Builtin& one) { return one.name == name; });
  return found == table.end() ? nullptr : &*found;
}

const Builtin* find_filter(std::string_view name) {
  const Builtin* found = find_builtin(text_filters(), name);
  return found ? found : find_builtin(sequence_filters(), name);
}

Value attribute_of(Context& context, const Value& value, const std::string& name) {
  if (std::optional<Value> found = python_attribute(context, value, name)) return *found;
  if (value.is_dictionary())
    if (const Value* found = value.dictionary().find(context.work, Value(name))) return *found;
  return no_such(value, Value(name));
}

Value item_of(Context& context, const Value& value, const Value& index) {
  if (std::optional<Value> found = find_item(context.work, value, index)) return *found;
  if (index.is_text())
    if (std::optional<Value> found = python_attribute(context, value, index.text())) return *found;
  return no_such(value, index);
}

Value path_of(Context& context, const Value& value, const Value& path, const Value& otherwise) {
  const auto step = [&](const Value& owner, const Value& index) {
    const Value found = item_of(context, owner, index);
    return found.is_undefined() && !otherwise.is_none() ? otherwise : found;
  };
  if (!path.is_text()) return step(value, path);
  Value found = value;
  for (const std::string_view part : split_at(path.text(), ".", SIZE_MAX, false)) {
    const bool is_index = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
    found = step(found, is_index ? Value(int64_t{std::stoi(std::string(part))}) : Value(std::string(part)));
  }
  return found;
}

}  // namespace eyrie::jinja
