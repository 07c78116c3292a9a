// text/jinja/operators.h: Python's operators on values. A type that does not fit is Error{input}, as Python's
// TypeError.
#pragma once
#include <compare>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace eyrie::jinja {

enum class Operator {
  any_of,
  all_of,
  concatenate,
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  in,
  not_in
};

bool equal(Work& work, const Value& left, const Value& right);
std::partial_ordering order(Work& work, const Value& left, const Value& right);
Value operate(Work& work, Operator operation, const Value& left, const Value& right);

// value[index] of a sequence, text or dict; none where Python raises TypeError or LookupError.
std::optional<Value> find_item(Work& work, const Value& value, const Value& index);
// value[begin:end:step], each a whole number or None.
Value slice(Work& work, const Value& value, const Value& begin, const Value& end, const Value& step);

// Python's str(), repr() and json.dumps().
void write(Work& work, TextBuilder& out, const Value& value);
std::string written(Work& work, const Value& value);
std::string represented(Work& work, const Value& value);
struct JsonStyle {
  bool ascii = false;
  bool sorted = false;
  std::optional<std::string> indent = {};
  std::optional<std::pair<std::string, std::string>> separators = {};  // of items, of key and value
};
std::string json_text(Work& work, const Value& value, const JsonStyle& style);

// format % values: %s, %r, %d, %f and %.2f.
std::string percent_format(Work& work, std::string_view format, const Value& values);

}  // namespace eyrie::jinja
