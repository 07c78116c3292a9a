#include "text/jinja/text_format.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// What stands behind % or ":": both spell one thing, a presentation.
struct Presentation {
  std::string fill = " ";
  char side = '\0';  // '\0': numbers right, others left; '=': between sign and digits
  char sign = '\0';  // '+', ' '
  bool alternate = false;
  char thousands = '\0';
  int64_t width = 0;
  int64_t precision = -1;
  char type = '\0';
};

constexpr int64_t kWidest = 100'000;  // of a field; what is wider is a mistake

int64_t read_number(std::string_view text, size_t& at) {
  int64_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + (text[at] - '0');
    if (number > kWidest) fail("a field of a format that is too wide");
  }
  return number;
}

std::string with_thousands(std::string digits, char separator) {
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  for (size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, separator);
  return digits;
}

std::string digits_of(const Value& value, const Presentation& style) {
  if (style.type == 'd') return std::to_string(value.whole()).substr(value.whole() < 0 ? 1 : 0);
  const auto size = value.whole() < 0 ? 0 - static_cast<uint64_t>(value.whole()) : static_cast<uint64_t>(value.whole());
  const std::string prefix = style.alternate ? std::string("0") + style.type : "";
  switch (style.type) {
    case 'x':
      return prefix + fmt::format("{:x}", size);
    case 'X':
      return prefix + fmt::format("{:X}", size);
    case 'o':
      return prefix + fmt::format("{:o}", size);
    default:
      return prefix + fmt::format("{:b}", size);
  }
}

std::string float_digits(double value, const Presentation& style) {
  const double size = std::abs(value);
  if (!std::isfinite(size)) return std::isnan(size) ? "nan" : "inf";
  const int precision = style.precision < 0 ? 6 : static_cast<int>(style.precision);
  switch (style.type) {
    case 'e':
      return fmt::format("{:.{}e}", size, precision);
    case 'E':
      return fmt::format("{:.{}E}", size, precision);
    case 'g':
      return fmt::format("{:.{}g}", size, precision);
    case 'G':
      return fmt::format("{:.{}G}", size, precision);
    case '%':
      return fmt::format("{:.{}f}%", size * 100, precision);
    default:
      return fmt::format("{:.{}f}", size, precision);
  }
}

std::string with_sign(Work& work, bool negative, std::string digits, const Presentation& style) {
  if (style.thousands) digits = with_thousands(std::move(digits), style.thousands);
  std::string sign = negative ? "-" : style.sign ? std::string(1, style.sign) : "";
  if (style.side == '=') return sign + padded(work, digits, style.width - std::ssize(sign), style.fill, '>');
  return padded(work, sign + digits, style.width, style.fill, style.side ? style.side : '>');
}

std::string formatted(Work& work, const Value& value, Presentation style) {
  constexpr std::string_view kWhole = "dxXob", kFloat = "eEfFgG%";
  if (style.type == '\0' && value.is_whole() && !value.is_boolean()) style.type = 'd';
  if (style.type == '\0' && value.is_float() && style.precision >= 0) style.type = 'g';
  if (style.type == '\0' && value.is_float())
    return with_sign(work, std::signbit(value.number()), float_text(std::abs(value.number())), style);
  if (style.type == 'n' || style.type == 'c') fail(fmt::format("format type '{}' is not known here", style.type));
  if (kWhole.find(style.type) != kWhole.npos) {
    if (!value.is_whole()) fail(fmt::format("format type '{}' needs a whole number", style.type));
    return with_sign(work, value.whole() < 0, digits_of(value, style), style);
  }
  if (kFloat.find(style.type) != kFloat.npos) {
    if (!value.is_number()) fail(fmt::format("format type '{}' needs a number", style.type));
    return with_sign(work, std::signbit(value.number()), float_digits(value.number(), style), style);
  }
  if (style.type != 's' && style.type != '\0') fail(fmt::format("format type '{}' is not known here", style.type));
  const std::string text = written(work, value);
  const std::string_view shown = style.precision < 0 ? text : characters(text, 0, static_cast<size_t>(style.precision));
  return padded(work, shown, style.width, style.fill, style.side ? style.side : '<');
}

// One value after another of what stands behind %, or members of a dict by "%(name)s".
class PercentValues {
 public:
  PercentValues(Work& work, const Value& values) : work_(work), values_(values) {
    is_tuple_ = values.is_sequence() && values.sequence().is_tuple();
  }
  const Value& next() {
    const size_t count = is_tuple_ ? values_.sequence().items.size() : 1;
    if (used_ >= count) fail("not enough arguments for format string");
    return is_tuple_ ? values_.sequence().items[used_++] : (++used_, values_);
  }
  const Value& named(const std::string& name) {
    if (!values_.is_dictionary()) fail("format requires a mapping");
    used_ = 1;
    const Value* found = values_.dictionary().find(work_, Value(name));
    if (!found) fail(fmt::format("the format names '{}', which the dict does not hold", name));
    return *found;
  }
  bool is_left() const {
    if (is_tuple_) return used_ < values_.sequence().items.size();
    const bool has_items = values_.is_dictionary() || values_.is_sequence() || values_.is_undefined();
    return used_ == 0 && !has_items;  // what could be asked by name may stay unasked
  }

 private:
  Work& work_;
  const Value& values_;
  bool is_tuple_;
  size_t used_ = 0;
};

std::string percent_field(Work& work, std::string_view format, size_t& at, PercentValues& values) {
  const Value* value = nullptr;
  Presentation style;
  const auto sees = [&](char c) { return at < format.size() && format[at] == c; };
  if (sees('(')) {
    const size_t end = std::min(format.find(')', at), format.size());
    value = &values.named(std::string(format.substr(at + 1, end - at - 1)));
    at = end + 1;
  }
  for (; at < format.size() && std::string_view("-+ #0").find(format[at]) != std::string_view::npos; ++at) {
    if (format[at] == '-') style.side = '<';
    if (format[at] == '0' && style.side != '<') style.side = '=', style.fill = "0";
    if (format[at] == '+' || (format[at] == ' ' && !style.sign)) style.sign = format[at];
    if (format[at] == '#') style.alternate = true;
  }
  style.width = read_number(format, at);
  if (sees('.')) style.precision = read_number(format, ++at);
  if (at >= format.size()) fail("incomplete format");
  style.type = format[at++];
  if (style.type == '%') return "%";
  if (!value) value = &values.next();
  const bool is_whole = style.type == 'd' || style.type == 'i' || style.type == 'u';
  if (is_whole) {
    style.type = 'd';
    if (value->is_float()) {
      if (!(std::abs(value->number()) < 9e18)) fail("a number that does not fit 64 bits");
      return formatted(work, static_cast<int64_t>(value->number()), style);
    }
  }
  if (style.type != 's' && style.type != 'r') return formatted(work, *value, style);
  const std::string text = style.type == 's' ? written(work, *value) : represented(work, *value);
  style.type = 's';
  style.fill = " ";
  if (style.side != '<') style.side = '>';  // % pads texts from the left, unlike str.format
  return formatted(work, Value(text), style);
}

// Behind "{": a name or a number, attributes and items of it, !r, :presentation, "}".
class BraceFormat {
 public:
  BraceFormat(Context& context, std::string_view format, const Arguments& arguments)
      : context_(context), format_(format), arguments_(arguments) {}

  std::string run() {
    TextBuilder out(context_.work);
    while (at_ < format_.size()) {
      const char c = format_[at_];
      const bool twice = at_ + 1 < format_.size() && format_[at_ + 1] == c;
      if ((c == '{' || c == '}') && !twice) {
        if (c == '}') fail("single '}' in a format");
        ++at_;
        out << field();
        continue;
      }
      out << format_.substr(at_, 1);
      at_ += c == '{' || c == '}' ? 2 : 1;
    }
    return out.take();
  }

 private:
  std::string_view until(std::string_view ends) {
    const size_t end = format_.find_first_of(ends, at_);
    if (end == format_.npos) fail("a format field without its '}'");
    const std::string_view found = format_.substr(at_, end - at_);
    at_ = end;
    return found;
  }

  std::string field() {
    Value value = named(std::string(until(".[!:}")));
    while (format_[at_] == '.' || format_[at_] == '[') {
      const bool is_item = format_[at_++] == '[';
      const std::string name(until(is_item ? "]" : ".[!:}"));
      value = is_item ? item_of(context_, value, index_of(name)) : attribute_of(context_, value, name);
      if (is_item) ++at_;
      if (at_ >= format_.size()) fail("a format field without its '}'");
    }
    if (format_[at_] == '!') {
      const std::string_view conversion = (++at_, until(":}"));
      if (conversion != "s" && conversion != "r") fail(fmt::format("conversion '{}' is not known here", conversion));
      value = Value(conversion == "s" ? written(context_.work, value) : represented(context_.work, value));
    }
    Presentation style;
    if (format_[at_] == ':') style = presentation((++at_, until("{}")));
    if (format_[at_] != '}') fail("a format field within another");
    ++at_;
    if (value.is_undefined() && style.type == '\0') return formatted(context_.work, Value(""), style);
    return formatted(context_.work, value, style);
  }

  static Value index_of(const std::string& name) {
    const bool is_whole = !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == name.npos;
    return is_whole ? Value(int64_t{std::stoi(name)}) : Value(name);
  }

  Value named(const std::string& name) {
    const Value index = name.empty() ? Value(static_cast<int64_t>(next_++)) : index_of(name);
    if (index.is_whole()) {
      const auto place = static_cast<size_t>(index.whole());
      if (place >= arguments_.positional.size()) fail("a format names more arguments than there are");
      return arguments_.positional[place];
    }
    for (const auto& [found, value] : arguments_.named)
      if (found == name) return value;
    fail(fmt::format("a format names '{}', which is no argument", name));
  }

  static Presentation presentation(std::string_view text) {
    Presentation style;
    size_t at = 0;
    const auto is_side = [&](size_t place) {
      return place < text.size() && std::string_view("<>^=").find(text[place]) != std::string_view::npos;
    };
    const size_t first = text.empty() ? 0 : code_point_at(text, 0).bytes;
    if (is_side(first))
      style.fill = std::string(text.substr(0, first)), style.side = text[first], at = first + 1;
    else if (is_side(0))
      style.side = text[0], at = 1;
    const auto take = [&](std::string_view one_of) {
      return at < text.size() && one_of.find(text[at]) != one_of.npos ? text[at++] : '\0';
    };
    const char sign = take("+- ");
    style.sign = sign == '-' ? '\0' : sign;
    style.alternate = take("#");
    if (take("0") && !style.side) style.side = '=', style.fill = "0";
    style.width = read_number(text, at);
    style.thousands = take(",_");
    if (take(".")) style.precision = read_number(text, at);
    if (at < text.size()) style.type = text[at++];
    if (at < text.size()) fail(fmt::format("format '{}' is not known here", text));
    return style;
  }

  Context& context_;
  std::string_view format_;
  const Arguments& arguments_;
  size_t at_ = 0;
  size_t next_ = 0;
};

}  // namespace

std::string padded(Work& work, std::string_view text, int64_t width, std::string_view fill, char side) {
  const int64_t length = character_count(text), rest = width - length;
  if (rest <= 0) return std::string(text);
  work.spend_bytes(text.size() + static_cast<size_t>(std::min<int64_t>(rest, kMostBytes)) * fill.size());
  const int64_t before = side == '<' ? 0 : side == '^' ? rest / 2 : side == '|' ? rest / 2 + (rest & width & 1) : rest;
  std::string out;
  for (int64_t i = 0; i < before; ++i) out += fill;
  out += text;
  for (int64_t i = before; i < rest; ++i) out += fill;
  return out;
}

Value percent_format(Work& work, const Value& format, const Value& values) {
  PercentValues given(work, values);
  TextBuilder out(work);
  const std::string_view text = format.text();
  for (size_t at = 0; at < text.size();) {
    const size_t percent = std::min(text.find('%', at), text.size());
    out << text.substr(at, percent - at);
    at = percent + 1;
    if (percent < text.size()) out << percent_field(work, text, at, given);
  }
  if (given.is_left()) fail("not all arguments converted during string formatting");
  return Value(out.take(), format.is_markup());
}

Value brace_format(Context& context, const Value& format, const Arguments& arguments) {
  return Value(BraceFormat(context, format.text(), arguments).run(), format.is_markup());
}

}  // namespace eyrie::jinja
