// text/jinja/builtins.h: filters, tests, methods and functions: tables of {name, parameters, function}.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/object.h"
#include "text/jinja/value.h"

namespace eyrie::jinja {

class Bound;

struct Builtin {
  std::string_view name;
  std::string_view parameters;  // names, apart by spaces, "-" for one that has none; "*": any
  size_t required;
  Value (*function)(Context& context, const Value& self, const Bound& arguments);
};

// The arguments of one call, by parameter.
class Bound {
 public:
  Bound(const Builtin& builtin, Arguments arguments);  // Error naming what is missing or too many
  bool has(size_t i) const { return i < values_.size() && values_[i].has_value(); }
  const Value& operator[](size_t i) const { return *values_[i]; }
  const Value& value(size_t i, const Value& otherwise) const { return has(i) ? *values_[i] : otherwise; }
  int64_t whole(size_t i, int64_t otherwise) const;
  const std::string& text(size_t i, const std::string& otherwise) const;
  bool truth(size_t i, bool otherwise) const { return has(i) ? values_[i]->truth() : otherwise; }
  const Arguments& any() const { return any_; }  // where the parameters are "*"

 private:
  std::string_view name_;
  std::vector<std::optional<Value>> values_;
  Arguments any_;
};

// Null where there is none of that name.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_function(std::string_view name);
const Builtin* find_method(const Value& self, std::string_view name);

// Methods of Python's str that templates may not count on here.
bool is_unknown_method(std::string_view name);

// Charged by the length of the texts that it may read.
Value call_builtin(Context& context, const Builtin& builtin, const Value& self, Arguments arguments);

// value.name and value[index], as jinja finds them: the one falls back to the other, what is not found is undefined.
Value attribute_of(Context& context, const Value& value, const std::string& name);
Value item_of(Context& context, const Value& value, const Value& index);
// By a path like "function.name" or "0.x"; `otherwise`, unless it is None, where something is undefined on the way.
Value path_of(Context& context, const Value& value, const Value& path, const Value& otherwise = Value::none());

// A table's rows, and where the one called `name` stands.
using Builtins = std::span<const Builtin>;
const Builtin* find_builtin(Builtins table, std::string_view name);
Builtins text_filters();
Builtins sequence_filters();

}  // namespace eyrie::jinja
