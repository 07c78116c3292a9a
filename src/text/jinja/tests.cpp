// What `is` asks.
#include <fmt/core.h>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

using Predicate = bool (*)(const Value& value);

template <Predicate predicate>
Value is(Context&, const Value& self, const Bound&) {
  return predicate(self);
}

template <Operator operation>
Value compares(Context& context, const Value& self, const Bound& arguments) {
  return compare(context.work, operation, self, arguments[0]);
}

Value rest_of(Context& context, const Value& self, const Value& divisor) {
  return arithmetic(context.work, Operator::modulo, self, divisor);
}

template <int64_t rest>
Value has_rest(Context& context, const Value& self, const Bound&) {
  return equal(context.work, rest_of(context, self, int64_t{2}), rest);
}

Value divides(Context& context, const Value& self, const Bound& arguments) {
  return equal(context.work, rest_of(context, self, arguments[0]), int64_t{0});
}

// Whether a text has letters of the one case, and none of the other.
template <bool upper>
Value has_case(Context& context, const Value& self, const Bound&) {
  return is_all_case(written(context.work, self), upper);
}

template <const Builtin* (*find)(std::string_view)>
Value is_known(Context& context, const Value& self, const Bound&) {
  hash_of(context.work, self);  // a list has none, and no name: an error, as in Python
  return self.is_text() && find(self.text()) != nullptr;
}

Value is_same(Context&, const Value& self, const Bound& arguments) { return self.same_as(arguments[0]); }

bool is_sequence_like(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is_dictionary() ||
         (value.is_sequence() && value.sequence().is_indexed());
}

constexpr Builtin kTests[] = {
    {"boolean", "", 0, is<[](const Value& value) { return value.is_boolean(); }>},
    {"callable", "", 0, is<[](const Value& value) {
       return value.is_undefined() || (value.is_object() && value.object().is_callable());
     }>},
    {"defined", "", 0, is<[](const Value& value) { return !value.is_undefined(); }>},
    {"divisibleby", "num", 1, divides},
    {"escaped", "", 0, is<[](const Value& value) { return value.is_markup(); }>},
    {"even", "", 0, has_rest<0>},
    {"false", "", 0, is<[](const Value& value) { return value.is_boolean() && !value.truth(); }>},
    {"filter", "", 0, is_known<find_filter>},
    {"float", "", 0, is<[](const Value& value) { return value.is_float(); }>},
    {"integer", "", 0, is<[](const Value& value) { return value.is_whole() && !value.is_boolean(); }>},
    {"iterable", "", 0, is<is_iterable>},
    {"lower", "", 0, has_case<false>},
    {"mapping", "", 0, is<[](const Value& value) { return value.is_dictionary(); }>},
    {"none", "", 0, is<[](const Value& value) { return value.is_none(); }>},
    {"number", "", 0, is<[](const Value& value) { return value.is_number(); }>},
    {"odd", "", 0, has_rest<1>},
    {"sameas", "other", 1, is_same},
    {"sequence", "", 0, is<is_sequence_like>},
    {"string", "", 0, is<[](const Value& value) { return value.is_text(); }>},
    {"test", "", 0, is_known<find_test>},
    {"true", "", 0, is<[](const Value& value) { return value.is_boolean() && value.truth(); }>},
    {"undefined", "", 0, is<[](const Value& value) { return value.is_undefined(); }>},
    {"upper", "", 0, has_case<true>},
    {"in", "seq", 1, compares<Operator::in>},
    {"==", "-", 1, compares<Operator::eq>},
    {"eq", "-", 1, compares<Operator::eq>},
    {"equalto", "-", 1, compares<Operator::eq>},
    {"!=", "-", 1, compares<Operator::ne>},
    {"ne", "-", 1, compares<Operator::ne>},
    {"<", "-", 1, compares<Operator::lt>},
    {"lt", "-", 1, compares<Operator::lt>},
    {"lessthan", "-", 1, compares<Operator::lt>},
    {"<=", "-", 1, compares<Operator::le>},
    {"le", "-", 1, compares<Operator::le>},
    {">", "-", 1, compares<Operator::gt>},
    {"gt", "-", 1, compares<Operator::gt>},
    {"greaterthan", "-", 1, compares<Operator::gt>},
    {">=", "-", 1, compares<Operator::ge>},
    {"ge", "-", 1, compares<Operator::ge>},
};

}  // namespace

const Builtin* find_test(std::string_view name) { return find_builtin(kTests, name); }

}  // namespace eyrie::jinja
