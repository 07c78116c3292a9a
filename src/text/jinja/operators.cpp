#include "text/jinja/operators.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/object.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

constexpr const char* kSigns[] = {
    "+", "-", "*", "/", "//", "%", "** or pow()", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
const char* sign_of(Operator operation) { return kSigns[static_cast<size_t>(operation)]; }

void check_defined(const Value& value) {
  if (value.is_undefined()) fail(value.why_undefined());
}

[[noreturn]] void fail_types(const char* sign, const Value& left, const Value& right) {
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
  if (left.pairs().size() != right.pairs().size()) return false;
  return std::all_of(left.pairs().begin(), left.pairs().end(), [&](const Pair& pair) {
    const Value* other = right.find(work, pair.first);
    return other && equal(work, pair.second, *other);
  });
}

// By reference: the argument beside it is what computes it.
int64_t checked(bool overflow, const int64_t& result) {
  if (overflow) fail("a whole number that does not fit 64 bits");
  return result;
}

int64_t power_of(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = checked(__builtin_mul_overflow(result, base, &result), result);
    if (exponent > 1) base = checked(__builtin_mul_overflow(base, base, &base), base);
  }
  return result;
}

Value whole_arithmetic(Operator operation, int64_t left, int64_t right) {
  int64_t result = 0;
  switch (operation) {
    case Operator::add:
      return checked(__builtin_add_overflow(left, right, &result), result);
    case Operator::subtract:
      return checked(__builtin_sub_overflow(left, right, &result), result);
    case Operator::multiply:
      return checked(__builtin_mul_overflow(left, right, &result), result);
    case Operator::power:
      if (right >= 0) return power_of(left, right);
      if (left == 0) fail("0.0 cannot be raised to a negative power");
      return std::pow(static_cast<double>(left), static_cast<double>(right));
    default:
      break;
  }
  if (right == 0) fail(operation == Operator::divide ? "division by zero" : "integer division or modulo by zero");
  if (operation == Operator::divide) return static_cast<double>(left) / static_cast<double>(right);
  if (right == -1) return operation == Operator::modulo ? Value(int64_t{0}) : negative(left);
  // Python rounds the quotient down, C++ towards zero.
  const bool down = left % right != 0 && (left < 0) != (right < 0);
  if (operation == Operator::modulo) return left % right + (down ? right : 0);
  return left / right - (down ? 1 : 0);
}

Value float_arithmetic(Operator operation, double left, double right) {
  switch (operation) {
    case Operator::add:
      return left + right;
    case Operator::subtract:
      return left - right;
    case Operator::multiply:
      return left * right;
    case Operator::power: {
      if (left == 0 && right < 0) fail("0.0 cannot be raised to a negative power");
      if (left < 0 && right != std::floor(right)) fail("a power that is a complex number");
      const double result = std::pow(left, right);
      if (std::isinf(result) && std::isfinite(left) && std::isfinite(right)) fail("a power that is too large");
      return result;
    }
    default:
      break;
  }
  if (right == 0) fail("float division or modulo by zero");
  if (operation == Operator::divide) return left / right;
  double rest = std::fmod(left, right);
  if (rest != 0 && (rest < 0) != (right < 0)) rest += right;
  if (operation == Operator::modulo) return rest == 0 ? std::copysign(0.0, right) : rest;
  const double quotient = (left - rest) / right;
  return quotient == 0 ? std::copysign(0.0, left / right) : std::round(quotient);
}

Value add(Work& work, const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) {
    const bool markup = left.is_markup() || right.is_markup();
    TextBuilder sum(work);
    for (const Value* part : {&left, &right}) {
      if (markup && !part->is_markup())
        sum << escape_html(part->text());
      else
        sum << part->text();
    }
    return Value(sum.take(), markup);
  }
  if (!left.is_sequence() || !right.is_sequence()) fail_types("+", left, right);
  const Sequence &one = left.sequence(), &other = right.sequence();
  const bool lists = one.kind == Sequence::Kind::list && other.kind == Sequence::Kind::list;
  if (!lists && !(one.is_tuple() && other.is_tuple())) fail_types("+", left, right);
  work.spend_items(one.items.size() + other.items.size());
  Values items = one.items;
  items.insert(items.end(), other.items.begin(), other.items.end());
  return make_sequence(work, lists ? Sequence::Kind::list : Sequence::Kind::tuple, std::move(items));
}

Value repeat(Work& work, const Value& value, int64_t times) {
  const auto count = static_cast<size_t>(std::max<int64_t>(0, times));
  const size_t size = value.is_text() ? value.text().size() : value.sequence().items.size();
  const size_t total = size > 0 && count > kMostBytes / size ? kMostBytes + 1 : size * count;
  if (value.is_text()) {
    work.spend_bytes(total);
    std::string text;
    for (size_t i = 0; size > 0 && i < count; ++i) text += value.text();
    return Value(std::move(text), value.is_markup());
  }
  work.spend_items(total);
  Values items;
  for (size_t i = 0; size > 0 && i < count; ++i)
    items.insert(items.end(), value.sequence().items.begin(), value.sequence().items.end());
  return make_sequence(work, value.sequence().is_tuple() ? Sequence::Kind::tuple : Sequence::Kind::list,
                       std::move(items));
}

bool is_repeatable(const Value& value) {
  return value.is_text() ||
         (value.is_sequence() && (value.sequence().kind == Sequence::Kind::list || value.sequence().is_tuple()));
}

// Where an index counts from the end when negative; Python clamps the ends of slices.
struct Extent {
  int64_t begin, end, step;
  int64_t count() const {
    if (step > 0) return begin < end ? (end - begin - 1) / step + 1 : 0;
    return end < begin ? (begin - end - 1) / -step + 1 : 0;
  }
};

Extent extent_of(int64_t length, const Value& begin, const Value& end, const Value& step) {
  for (const Value* part : {&begin, &end, &step}) {
    check_defined(*part);
    if (!part->is_none() && !part->is_whole()) fail("slice indices must be integers or None");
  }
  const int64_t stride = step.is_none() ? 1 : std::max<int64_t>(step.whole(), -INT64_MAX);
  if (stride == 0) fail("slice step cannot be zero");
  const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? length : length - 1;
  const auto place = [&](const Value& part, int64_t otherwise) {
    if (part.is_none()) return otherwise;
    const int64_t at = part.whole();
    return std::clamp(at < 0 ? at + length : at, low, high);
  };
  return {place(begin, stride > 0 ? low : high), place(end, stride > 0 ? high : low), stride};
}

}  // namespace

bool equal(Work& work, const Value& left, const Value& right) {
  work.spend();
  if (left.is_number() && right.is_number()) return order_numbers(left, right) == 0;
  if (left.is_text() && right.is_text()) {
    work.spend(std::min(left.text().size(), right.text().size()) / 1024);
    return left.text() == right.text();
  }
  if (left.is_sequence() && right.is_sequence()) {
    const Sequence &one = left.sequence(), &other = right.sequence();
    if (one.kind != other.kind && !(one.is_tuple() && other.is_tuple())) return false;
    return one.is_indexed() ? equal_items(work, one.items, other.items) : left.same_as(right);
  }
  if (left.is_dictionary() && right.is_dictionary()) return equal_pairs(work, left.dictionary(), right.dictionary());
  return left.same_as(right) || (left.is_undefined() && right.is_undefined());
}

std::partial_ordering order(Work& work, const Value& left, const Value& right) {
  work.spend();
  if (left.is_number() && right.is_number()) return order_numbers(left, right);
  if (left.is_text() && right.is_text()) {
    work.spend(std::min(left.text().size(), right.text().size()) / 1024);
    return left.text() <=> right.text();  // the bytes of UTF-8 are in the order of the code points
  }
  if (left.is_sequence() && right.is_sequence()) {
    const Sequence &one = left.sequence(), &other = right.sequence();
    const bool lists = one.kind == Sequence::Kind::list && other.kind == Sequence::Kind::list;
    if (lists || (one.is_tuple() && other.is_tuple())) {
      for (size_t i = 0; i < std::min(one.items.size(), other.items.size()); ++i)
        if (!equal(work, one.items[i], other.items[i])) return order(work, one.items[i], other.items[i]);
      return one.items.size() <=> other.items.size();
    }
  }
  check_defined(left);
  check_defined(right);
  fail(fmt::format("'{}' and '{}' have no order", left.type_name(), right.type_name()));
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

Value arithmetic(Work& work, Operator operation, const Value& left, const Value& right) {
  check_defined(left);
  if (operation == Operator::modulo && left.is_text()) return percent_format(work, left, right);
  check_defined(right);
  if (left.is_whole() && right.is_whole()) return whole_arithmetic(operation, left.whole(), right.whole());
  if (left.is_number() && right.is_number()) return float_arithmetic(operation, left.number(), right.number());
  if (operation == Operator::add) return add(work, left, right);
  if (operation == Operator::multiply && is_repeatable(left) && right.is_whole())
    return repeat(work, left, right.whole());
  if (operation == Operator::multiply && is_repeatable(right) && left.is_whole())
    return repeat(work, right, left.whole());
  fail_types(sign_of(operation), left, right);
}

bool compare(Work& work, Operator operation, const Value& left, const Value& right) {
  if (operation == Operator::in) return contains(work, right, left);
  if (operation == Operator::not_in) return !contains(work, right, left);
  if (operation == Operator::eq) return equal(work, left, right);
  if (operation == Operator::ne) return !equal(work, left, right);
  const std::partial_ordering found = order(work, left, right);
  if (operation == Operator::lt) return found < 0;
  if (operation == Operator::le) return found <= 0;
  return operation == Operator::gt ? found > 0 : found >= 0;
}

Value negative(const Value& value) {
  check_defined(value);
  int64_t result = 0;
  if (value.is_whole()) return checked(__builtin_sub_overflow(int64_t{0}, value.whole(), &result), result);
  if (!value.is_float()) fail(fmt::format("bad operand type for unary -: '{}'", value.type_name()));
  return -value.number();
}

std::optional<Value> find_item(Work& work, const Value& value, const Value& index) {
  check_defined(value);
  if (value.is_dictionary()) {
    if (index.is_dictionary() || (index.is_sequence() && !index.sequence().is_tuple())) return std::nullopt;
    const Value* found = value.dictionary().find(work, index);
    return found ? std::optional<Value>(*found) : std::nullopt;
  }
  const bool indexed = value.is_text() || (value.is_sequence() && value.sequence().is_indexed());
  if (!indexed || !index.is_whole()) return std::nullopt;
  work.spend(value.is_text() ? value.text().size() / 256 : 0);
  const int64_t length = *length_of(value), at = index.whole() < 0 ? index.whole() + length : index.whole();
  if (at < 0 || at >= length) return std::nullopt;
  const auto place = static_cast<size_t>(at);
  if (!value.is_text()) return value.sequence().items[place];
  return Value(std::string(characters(value.text(), place, place + 1)), value.is_markup());
}

Value slice(Work& work, const Value& value, const Value& begin, const Value& end, const Value& step) {
  check_defined(value);
  const bool sliced = value.is_text() || (value.is_sequence() && value.sequence().is_indexed());
  if (!sliced) fail(fmt::format("'{}' object is not subscriptable by a slice", value.type_name()));
  const Extent extent = extent_of(*length_of(value), begin, end, step);
  const int64_t count = extent.count();
  if (value.is_text()) {
    const std::string& text = value.text();
    work.spend_bytes(text.size());
    if (extent.step == 1)
      return Value(
          std::string(characters(text, static_cast<size_t>(extent.begin), static_cast<size_t>(extent.begin + count))),
          value.is_markup());
    std::vector<size_t> offsets;
    for (size_t at = 0; at < text.size(); at += code_point_at(text, at).bytes) offsets.push_back(at);
    std::string result;
    for (int64_t i = 0; i < count; ++i) {
      const size_t at = offsets[static_cast<size_t>(extent.begin + i * extent.step)];
      result += text.substr(at, code_point_at(text, at).bytes);
    }
    return Value(std::move(result), value.is_markup());
  }
  Values items;
  for (int64_t i = 0; i < count; ++i)
    items.push_back(value.sequence().items[static_cast<size_t>(extent.begin + i * extent.step)]);
  return make_sequence(work, value.sequence().is_tuple() ? Sequence::Kind::tuple : Sequence::Kind::list,
                       std::move(items));
}

int64_t character_count(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
}

std::string_view characters(std::string_view text, size_t begin, size_t end) {
  size_t at = 0;
  const auto skip = [&](size_t count) {
    for (; count > 0 && at < text.size(); --count) at += code_point_at(text, at).bytes;
    return at;
  };
  const size_t first = skip(begin);
  return text.substr(first, skip(end - begin) - first);
}

}  // namespace eyrie::jinja
