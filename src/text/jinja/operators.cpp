#include "text/jinja/operators.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/python_text.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

[[noreturn]] void fail_types(Operator operation, const Value& left, const Value& right) {
  static constexpr const char* kSigns[] = {"or", "and", "~", "+", "-", "*", "/", "//", "%"};
  const char* sign = kSigns[static_cast<size_t>(operation)];
  fail(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", sign, left.type_name(), right.type_name()));
}

// Of two numbers, exactly: a long double holds every int64_t and every double.
std::partial_ordering order_numbers(const Value& left, const Value& right) {
  if (left.is_whole() && right.is_whole()) return left.whole() <=> right.whole();
  const auto exact = [](const Value& value) {
    return value.is_float() ? static_cast<long double>(value.number()) : static_cast<long double>(value.whole());
  };
  return exact(left) <=> exact(right);
}

bool equal_items(Work& work, const Values& left, const Values& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](const Value& one, const Value& other) { return equal(work, one, other); });
}

bool equal_pairs(Work& work, const Dictionary& left, const Dictionary& right) {
  if (left.pairs.size() != right.pairs.size()) return false;
  return std::all_of(left.pairs.begin(), left.pairs.end(), [&](auto& pair) {
    const Value* other = right.find(work, pair.first);
    return other && equal(work, pair.second, *other);
  });
}

Value whole_arithmetic(Operator operation, int64_t left, int64_t right) {
  int64_t result = 0;
  bool overflows = false;
  if (operation == Operator::add) {
    overflows = __builtin_add_overflow(left, right, &result);
  } else if (operation == Operator::subtract) {
    overflows = __builtin_sub_overflow(left, right, &result);
  } else if (operation == Operator::multiply) {
    overflows = __builtin_mul_overflow(left, right, &result);
  } else if (right == 0) {
    fail("division by zero");
  } else if (operation == Operator::divide) {
    return static_cast<double>(left) / static_cast<double>(right);
  } else if (right == -1) {  // the one divisor whose quotient may not fit
    return operation == Operator::modulo ? int64_t{0} : whole_arithmetic(Operator::subtract, 0, left);
  } else {
    const bool down = left % right != 0 && (left < 0) != (right < 0);  // Python rounds down, C++ towards zero
    result = operation == Operator::modulo ? left % right + (down ? right : 0) : left / right - (down ? 1 : 0);
  }
  if (overflows) fail("a whole number that does not fit 64 bits");
  return result;
}

Value float_arithmetic(Operator operation, double left, double right) {
  if (operation == Operator::add) return left + right;
  if (operation == Operator::subtract) return left - right;
  if (operation == Operator::multiply) return left * right;
  if (operation != Operator::divide) fail("// and % of floats are not known here");
  if (right == 0) fail("float division by zero");
  return left / right;
}

Value add(Work& work, const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) return make_text(work, left.text() + right.text());
  if (!left.is_sequence() || !right.is_sequence() || left.is_tuple() != right.is_tuple())
    fail_types(Operator::add, left, right);
  Values items = left.items();
  items.insert(items.end(), right.items().begin(), right.items().end());
  return make_sequence(work, std::move(items), left.is_tuple());
}

Value repeat(Work& work, const Value& value, int64_t times) {
  const size_t size = value.is_text() ? value.text().size() : value.items().size();
  const auto count = size > 0 ? static_cast<size_t>(std::max<int64_t>(0, times)) : 0;
  const size_t total = count > kMostBytes / std::max<size_t>(1, size) ? kMostBytes + 1 : size * count;
  value.is_text() ? work.spend_bytes(total) : work.spend_items(total);
  std::string text;
  Values items;
  for (size_t i = 0; i < count; ++i) {
    if (value.is_text())
      text += value.text();
    else
      items.insert(items.end(), value.items().begin(), value.items().end());
  }
  if (value.is_text()) return text;
  return make_sequence(work, std::move(items), value.is_tuple());
}

Value arithmetic(Work& work, Operator operation, const Value& left, const Value& right) {
  const auto repeats = [](const Value& value) { return value.is_text() || value.is_sequence(); };
  left.check_defined();
  if (operation == Operator::modulo && left.is_text()) return percent_format(work, left.text(), right);
  right.check_defined();
  if (left.is_whole() && right.is_whole()) return whole_arithmetic(operation, left.whole(), right.whole());
  if (left.is_number() && right.is_number()) return float_arithmetic(operation, left.number(), right.number());
  if (operation == Operator::add) return add(work, left, right);
  if (operation == Operator::multiply && repeats(left) && right.is_whole()) return repeat(work, left, right.whole());
  if (operation == Operator::multiply && repeats(right) && left.is_whole()) return repeat(work, right, left.whole());
  fail_types(operation, left, right);
}

bool contains(Work& work, const Value& container, const Value& item) {
  if (container.is_text()) {
    if (!item.is_text()) fail(fmt::format("'in <string>' requires string as left operand, not {}", item.type_name()));
    work.spend(container.text().size() / 256);
    return find_first(container.text(), item.text()) != std::string::npos;
  }
  if (container.is_dictionary()) return container.dictionary().find(work, item) != nullptr;
  if (!is_iterable(container)) fail(fmt::format("argument of type '{}' is not iterable", container.type_name()));
  for (const Value& found : items_of(work, container))
    if (found.same_as(item) || equal(work, found, item)) return true;
  return false;
}

}  // namespace

bool equal(Work& work, const Value& left, const Value& right) {
  work.spend();
  if (left.is_number() && right.is_number()) return order_numbers(left, right) == 0;
  if (left.is_text() && right.is_text()) {
    work.spend(std::min(left.text().size(), right.text().size()) / 1024);
    return left.text() == right.text();
  }
  if (left.is_sequence() && right.is_sequence())
    return left.is_tuple() == right.is_tuple() && equal_items(work, left.items(), right.items());
  if (left.is_dictionary() && right.is_dictionary()) return equal_pairs(work, left.dictionary(), right.dictionary());
  return left.same_as(right);
}

std::partial_ordering order(Work& work, const Value& left, const Value& right) {
  work.spend();
  if (left.is_number() && right.is_number()) return order_numbers(left, right);
  if (left.is_text() && right.is_text()) {
    work.spend(std::min(left.text().size(), right.text().size()) / 1024);
    return left.text() <=> right.text();  // the bytes of UTF-8 are in the order of the code points
  }
  left.check_defined();
  right.check_defined();
  fail(fmt::format("'{}' and '{}' have no order", left.type_name(), right.type_name()));
}

Value operate(Work& work, Operator operation, const Value& left, const Value& right) {
  switch (operation) {
    case Operator::concatenate:
      return make_text(work, written(work, left) + written(work, right));
    case Operator::in:
      return contains(work, right, left);
    case Operator::not_in:
      return !contains(work, right, left);
    case Operator::eq:
      return equal(work, left, right);
    case Operator::ne:
      return !equal(work, left, right);
    case Operator::lt:
      return order(work, left, right) < 0;
    case Operator::le:
      return order(work, left, right) <= 0;
    case Operator::gt:
      return order(work, left, right) > 0;
    case Operator::ge:
      return order(work, left, right) >= 0;
    default:
      return arithmetic(work, operation, left, right);
  }
}

std::optional<Value> find_item(Work& work, const Value& value, const Value& index) {
  value.check_defined();
  if (value.is_dictionary()) {
    const Value* found = value.dictionary().find(work, index);
    return found ? std::optional<Value>(*found) : std::nullopt;
  }
  if ((!value.is_text() && !value.is_sequence()) || !index.is_whole()) return std::nullopt;
  work.spend(value.is_text() ? value.text().size() / 256 : 0);
  const int64_t length = length_of(value), at = index.whole() < 0 ? index.whole() + length : index.whole();
  if (at < 0 || at >= length) return std::nullopt;
  const auto place = static_cast<size_t>(at);
  if (!value.is_text()) return value.items()[place];
  return std::string(characters(value.text(), place, place + 1));
}

Value slice(Work& work, const Value& value, const Value& begin, const Value& end, const Value& step) {
  value.check_defined();
  if (!value.is_text() && !value.is_sequence())
    fail(fmt::format("'{}' object is not subscriptable by a slice", value.type_name()));
  for (const Value* part : {&begin, &end, &step})
    if (!part->is_none() && !part->is_whole()) fail("slice indices must be whole numbers or None");
  const int64_t stride = step.is_none() ? 1 : step.whole(), length = length_of(value);
  if (stride == 0) fail("slice step cannot be zero");
  const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? length : length - 1;
  const auto place = [&](const Value& part, int64_t otherwise) {
    if (part.is_none()) return otherwise;
    return std::clamp(part.whole() < 0 ? part.whole() + length : part.whole(), low, high);
  };
  const int64_t first = place(begin, stride > 0 ? low : high), last = place(end, stride > 0 ? high : low);
  if (value.is_text() && stride == 1)
    return make_text(work,
                     characters(value.text(), static_cast<size_t>(first), static_cast<size_t>(std::max(first, last))));
  const Values all = items_of(work, value);
  Values items;
  for (__int128 at = first; stride > 0 ? at < last : at > last; at += stride)  // in 128 bits nothing wraps
    items.push_back(all[static_cast<size_t>(at)]);
  if (!value.is_text()) return make_sequence(work, std::move(items), value.is_tuple());
  std::string text;
  for (const Value& item : items) text += item.text();
  return text;
}

}  // namespace eyrie::jinja
