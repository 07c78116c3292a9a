// text/jinja/builtins.h: filters, tests, methods and functions: tables of {name, parameters, function}.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/python.h"
#include "text/jinja/value.h"
#include "text/unicode.h"

namespace eyrie::jinja {

struct Builtin;

// One call of a builtin: what it is called on, and its arguments by parameter.
class Call {
 public:
  Call(Context& context, const Builtin& builtin, const Value& self, Arguments arguments);  // Error: they do not fit
  bool has(size_t i) const { return i < values_.size() && values_[i] && !values_[i]->is_none(); }
  const Value& operator[](size_t i) const { return *values_[i]; }
  Value value(size_t i, Value otherwise) const { return i < values_.size() && values_[i] ? *values_[i] : otherwise; }
  int64_t whole(size_t i, int64_t otherwise) const;
  std::string text(size_t i, const char* otherwise = "") const;
  bool truth(size_t i) const { return has(i) && values_[i]->truth(); }

  Context& context;
  const Value& self;
  Arguments any;  // where the parameters are "*"

 private:
  std::string_view name_;
  std::vector<std::optional<Value>> values_;
};

struct Builtin {
  std::string_view name;
  std::string_view parameters;  // names, apart by spaces, "-" for one that has none; "*": any
  size_t required;
  Value (*function)(const Call& call);
};

// Null where there is none of that name.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_function(std::string_view name);
const Builtin* find_method(const Value& self, std::string_view name);
bool is_method(std::string_view name);  // of any kind of value, or of a loop

// Charged by the length of the texts that it may read.
Value call_builtin(Context& context, const Builtin& builtin, const Value& self, Arguments arguments);

Value make_function(Context& context, std::function<Value(Context&, Arguments)> body);

// value.name and value[index], as jinja finds them: the one falls back to the other, what is not found is undefined.
Value attribute_of(Context& context, const Value& value, const std::string& name);
Value item_of(Context& context, const Value& value, const Value& index);

// Filters and methods alike: of a text, or of what is written of another value.
template <std::string (*function)(std::string_view)>
Value mapped(const Call& call) {
  return make_text(call.context, function(written(call.context, call.self)));
}
inline Value replace(const Call& call) {
  const std::string old = written(call.context, call[0]), fresh = written(call.context, call[1]);
  return replaced(call.context, written(call.context, call.self), old, fresh, call.whole(2, -1));
}
template <bool left, bool right>
Value strip(const Call& call) {
  const std::string text = written(call.context, call.self);
  const bool at_space = !call.has(0);
  return make_text(call.context,
                   at_space ? trim_white_space(text, left, right) : trim_characters(text, call.text(0), left, right));
}

}  // namespace eyrie::jinja
