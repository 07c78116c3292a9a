#include <fmt/core.h>

#include <algorithm>

#include "text/jinja/python.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// Of two numbers, exactly: a long double holds every int64_t and every double.
std::partial_ordering order_numbers(const Value& left, const Value& right) {
  if (left.is_whole() && right.is_whole()) return left.whole() <=> right.whole();
  const auto exact = [](const Value& value) {
    return value.is_float() ? static_cast<long double>(value.number()) : static_cast<long double>(value.whole());
  };
  return exact(left) <=> exact(right);
}

// In 128 bits no result of two numbers of 64 is lost.
Value whole_arithmetic(std::string_view sign, __int128 left, __int128 right) {
  const bool divides = sign == "/" || sign == "//" || sign == "%";
  if (divides && right == 0) fail("division by zero");
  if (sign == "/") return static_cast<double>(left) / static_cast<double>(right);
  const __int128 rest = divides ? (left % right + right) % right : 0;  // of the divisor's sign, as Python's
  const __int128 result = sign == "+"    ? left + right
                          : sign == "-"  ? left - right
                          : sign == "*"  ? left * right
                          : sign == "//" ? (left - rest) / right
                                         : rest;
  if (result < INT64_MIN || result > INT64_MAX) fail("a whole number that does not fit 64 bits");
  return static_cast<int64_t>(result);
}

Value float_arithmetic(std::string_view sign, double left, double right) {
  if (sign == "+") return left + right;
  if (sign == "-") return left - right;
  if (sign == "*") return left * right;
  if (sign != "/") fail("// and % of floats are not known here");
  if (right == 0) fail("float division by zero");
  return left / right;
}

Value joined(Work& work, const Value& left, const Value& right) {
  if (left.is_text()) return make_text(work, left.text() + right.text());
  Values items = left.items();
  items.insert(items.end(), right.items().begin(), right.items().end());
  return make_sequence(work, std::move(items), left.is_tuple());
}

Value repeat(Work& work, const std::string& text, int64_t times) {
  const auto count = text.empty() ? 0 : static_cast<size_t>(std::max<int64_t>(0, times));
  work.spend_bytes(count > kMostBytes ? count : count * text.size());
  std::string repeated;
  for (size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

Value arithmetic(Work& work, std::string_view sign, const Value& left, const Value& right) {
  left.check_defined();
  right.check_defined();
  if (left.is_whole() && right.is_whole()) return whole_arithmetic(sign, left.whole(), right.whole());
  if (left.is_number() && right.is_number()) return float_arithmetic(sign, left.number(), right.number());
  const bool lists = left.is_sequence() && right.is_sequence() && left.is_tuple() == right.is_tuple();
  if (sign == "+" && (lists || (left.is_text() && right.is_text()))) return joined(work, left, right);
  if (sign == "*" && left.is_text() && right.is_whole()) return repeat(work, left.text(), right.whole());
  fail(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", sign, left.type_name(), right.type_name()));
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
  const auto same = [&](const Value& one, const Value& other) { return equal(work, one, other); };
  if (left.is_sequence() && right.is_sequence())
    return left.is_tuple() == right.is_tuple() &&
           std::equal(left.items().begin(), left.items().end(), right.items().begin(), right.items().end(), same);
  if (!left.is_dictionary() || !right.is_dictionary()) return left.same_as(right);
  const Pairs &pairs = left.dictionary().pairs, &others = right.dictionary().pairs;
  return pairs.size() == others.size() && std::all_of(pairs.begin(), pairs.end(), [&](auto& pair) {
           const Value* other = right.dictionary().find(work, pair.first);
           return other && equal(work, pair.second, *other);
         });
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

Value operate(Work& work, std::string_view sign, const Value& left, const Value& right) {
  if (sign == "~") return make_text(work, written(work, left) + written(work, right));
  if (sign == "in") return contains(work, right, left);
  if (sign == "not in") return !contains(work, right, left);
  if (sign == "==") return equal(work, left, right);
  if (sign == "!=") return !equal(work, left, right);
  if (sign == "<") return order(work, left, right) < 0;
  if (sign == "<=") return order(work, left, right) <= 0;
  if (sign == ">") return order(work, left, right) > 0;
  if (sign == ">=") return order(work, left, right) >= 0;
  return arithmetic(work, sign, left, right);
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
