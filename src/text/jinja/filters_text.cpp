// Filters of one value: texts, numbers, JSON.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// A text of `self` with its markup, or what is written of another value.
Value text_of(Context& context, const Value& self) {
  return self.is_text() ? self : Value(written(context.work, self));
}

using TextFunction = std::string (*)(std::string_view);

template <TextFunction function>
Value through(Context& context, const Value& self, const Bound&) {
  const Value text = text_of(context, self);
  return make_text(context.work, function(text.text()), text.is_markup());
}

// As jinja's own title: words begin behind white space, hyphens and brackets, not behind apostrophes.
std::string titled(std::string_view text) {
  std::string out;
  const auto is_break = [&](size_t at) {
    return is_python_space(code_point_at(text, at).value) || std::string_view("-({[<").find(text[at]) != text.npos;
  };
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && is_break(end)) end += code_point_at(text, end).bytes;
    out += text.substr(at, end - at);
    if (end >= text.size()) break;
    at = end;
    while (end < text.size() && !is_break(end)) end += code_point_at(text, end).bytes;
    const CodePoint first = code_point_at(text, at);
    append_upper_case(out, first.value);
    out += lower_cased(text.substr(at + first.bytes, end - at - first.bytes));
    at = end;
  }
  return out;
}

Value absolute(Context&, const Value& self, const Bound&) {
  if (!self.is_number()) fail(fmt::format("bad operand type for abs(): '{}'", self.type_name()));
  if (self.is_float()) return std::abs(self.number());
  return self.whole() < 0 ? negative(self) : Value(self.whole());
}

Value center(Context& context, const Value& self, const Bound& arguments) {
  const Value text = text_of(context, self);
  return Value(padded(context.work, text.text(), arguments.whole(0, 80), " ", '|'), text.is_markup());
}

Value escape(Context& context, const Value& self, const Bound&) {
  if (self.is_markup()) return self;
  return make_text(context.work, escape_html(written(context.work, self)), true);
}

Value safe(Context& context, const Value& self, const Bound&) { return Value(written(context.work, self), true); }

Value string(Context& context, const Value& self, const Bound&) { return text_of(context, self); }

Value format(Context& context, const Value& self, const Bound& arguments) {
  const Arguments& given = arguments.any();
  if (!given.named.empty() && !given.positional.empty()) fail("format: values either by position or by name");
  std::vector<Pair> pairs;
  for (const auto& [name, value] : given.named) pairs.emplace_back(name, value);
  const Value values =
      pairs.empty() ? make_tuple(context.work, given.positional) : make_dictionary(context.work, std::move(pairs));
  return percent_format(context.work, text_of(context, self), values);
}

// Single ones between digits: 1_000.
std::string without_underscores(std::string_view digits) {
  const auto is_one = [&](size_t at) { return at < digits.size() && isalnum(static_cast<unsigned char>(digits[at])); };
  std::string plain;
  for (size_t at = 0; at < digits.size(); ++at)
    if (digits[at] != '_' || at == 0 || !is_one(at - 1) || !is_one(at + 1)) plain += digits[at];
  return plain;
}

// What Python's int() and float() read.
std::optional<int64_t> parsed_whole(std::string_view text, int64_t base) {
  std::string digits(trim_python_space(text));
  const bool is_negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.erase(0, 1);
  const std::string prefix = digits.substr(0, 2);
  const int64_t spelled = prefix == "0x" || prefix == "0X"   ? 16
                          : prefix == "0o" || prefix == "0O" ? 8
                          : prefix == "0b" || prefix == "0B" ? 2
                                                             : 0;
  if (spelled && (base == spelled || base == 0)) digits.erase(0, digits[2 % digits.size()] == '_' ? 3 : 2);
  if (base == 0) base = spelled ? spelled : 10;
  if (base < 2 || base > 36) fail(fmt::format("int: base {} is none from 2 to 36", base));
  digits = without_underscores(digits);
  int64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (read.ec == std::errc::result_out_of_range) fail("a whole number that does not fit 64 bits");
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || digits[0] == '-') return std::nullopt;
  return is_negative ? -value : value;
}

std::optional<double> parsed_float(std::string_view text) {
  std::string digits = lower_cased(trim_python_space(text));
  digits = without_underscores(digits);
  const bool has_plus = !digits.empty() && digits[0] == '+';
  if (has_plus) digits.erase(0, 1);
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool is_word = digits.find('n') != digits.npos;  // nan, inf, infinity, but not nan(...)
  if (read.ptr != digits.data() + digits.size() || digits.empty() || (has_plus && digits[0] == '-'))
    return std::nullopt;
  if (is_word && digits.find('(') != digits.npos) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) return std::strtod(digits.c_str(), nullptr);
  return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

void check_defined(const Value& self) {
  if (self.is_undefined()) fail(self.why_undefined());
}

std::optional<int64_t> truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 9.2e18) fail("a whole number that does not fit 64 bits");
  return static_cast<int64_t>(value);
}

Value to_whole(Context&, const Value& self, const Bound& arguments) {
  check_defined(self);
  std::optional<int64_t> found;
  if (self.is_whole()) found = self.whole();
  if (self.is_text()) found = parsed_whole(self.text(), arguments.whole(1, 10));
  const std::optional<double> real = self.is_float()  ? self.number()
                                     : self.is_text() ? parsed_float(self.text())
                                                      : std::nullopt;
  if (!found && real) {
    found = truncated(*real);
    if (!found && self.is_float() && std::isinf(*real)) fail("cannot convert float infinity to integer");
  }
  return found ? Value(*found) : arguments.value(0, int64_t{0});
}

Value to_float(Context&, const Value& self, const Bound& arguments) {
  check_defined(self);
  if (self.is_number()) return self.number();
  const std::optional<double> found = self.is_text() ? parsed_float(self.text()) : std::nullopt;
  return found ? Value(*found) : arguments.value(0, 0.0);
}

Value indent(Context& context, const Value& self, const Bound& arguments) {
  if (!self.is_text()) fail(fmt::format("indent: expected a string, found '{}'", self.type_name()));
  const bool named = arguments.has(0) && arguments[0].is_text();
  const std::string width = named ? arguments[0].text() : padded(context.work, "", arguments.whole(0, 4), " ", '<');
  const bool first = arguments.truth(1, false), blank = arguments.truth(2, false);
  const std::string text = self.text() + "\n";
  const std::vector<std::string_view> lines = split_lines(text, false);
  TextBuilder out(context.work);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out << "\n";
    if (i == 0 ? first : blank || !lines[i].empty()) out << width;
    out << lines[i];
  }
  return Value(out.take(), self.is_markup());
}

Value replace(Context& context, const Value& self, const Bound& arguments) {
  const std::string old = written(context.work, arguments[0]), fresh = written(context.work, arguments[1]);
  const bool all = !arguments.has(2) || arguments[2].is_none();
  return replaced(context.work, written(context.work, self), old, fresh, all ? -1 : arguments.whole(2, -1));
}

Value round(Context&, const Value& self, const Bound& arguments) {
  const std::string common = "common", &method = arguments.text(1, common);
  const int64_t precision = arguments.whole(0, 0);
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (!self.is_number()) fail(fmt::format("round: expected a number, found '{}'", self.type_name()));
  if (std::abs(precision) > 300) fail(fmt::format("round: {} digits are too many", precision));
  if (method == "common") {
    if (self.is_whole() && precision >= 0) return self.whole();
    // To so many digits as decimals are read and written: exactly, halves to even.
    const double rounded = precision >= 0
                               ? std::stod(fmt::format("{:.{}f}", self.number(), precision))
                               : std::nearbyint(self.number() * std::pow(10.0, precision)) * std::pow(10.0, -precision);
    return self.is_whole() ? Value(static_cast<int64_t>(rounded)) : Value(rounded);
  }
  const double scale = std::pow(10.0, precision), scaled = self.number() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

Value to_json(Context& context, const Value& self, const Bound& arguments) {
  JsonStyle style{.ascii = arguments.truth(0, false), .sorted = arguments.truth(3, false)};
  if (arguments.has(1) && arguments[1].is_text()) style.indent = arguments[1].text();
  if (arguments.has(1) && arguments[1].is_whole())
    style.indent = padded(context.work, "", arguments[1].whole(), " ", '<');
  if (arguments.has(2) && !arguments[2].is_none()) {
    const Values pair = items_of(context.work, arguments[2]);
    if (pair.size() != 2 || !pair[0].is_text() || !pair[1].is_text()) fail("tojson: separators are two strings");
    style.separators = {pair[0].text(), pair[1].text()};
  }
  return Value(json_text(context.work, self, style));
}

Value trim(Context& context, const Value& self, const Bound& arguments) {
  const Value text = text_of(context, self);
  const bool space = !arguments.has(0) || arguments[0].is_none();
  const std::string_view kept =
      space ? trim_python_space(text.text()) : trim_characters(text.text(), arguments.text(0, ""), true, true);
  return make_text(context.work, std::string(kept), text.is_markup());
}

Value truncate(Context& context, const Value& self, const Bound& arguments) {
  const std::string dots = "...", &end = arguments.text(2, dots);
  const bool has_leeway = arguments.has(3) && !arguments[3].is_none();
  const int64_t length = arguments.whole(0, 255), leeway = has_leeway ? arguments.whole(3, 5) : 5;
  const int64_t kept = length - character_count(end);
  const std::optional<int64_t> found = length_of(self);
  if (kept < 0) fail(fmt::format("truncate: length {} is shorter than the end", length));
  if (leeway < 0) fail(fmt::format("truncate: leeway {} is negative", leeway));
  if (found && *found <= length + leeway) return self;
  if (!self.is_text()) fail(fmt::format("truncate: expected a string, found '{}'", self.type_name()));
  context.work.spend_bytes(self.text().size());
  std::string_view cut = characters(self.text(), 0, static_cast<size_t>(kept));
  if (!arguments.truth(1, false)) cut = cut.substr(0, cut.rfind(' '));
  return std::string(cut) + end;
}

Value url_encode(Context& context, const Value& self, const Bound&) {
  const auto quoted = [&](const Value& value, std::string_view safe_signs) {
    std::string out;
    for (const char c : written(context.work, value)) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x80 && isalnum(byte)) || safe_signs.find(c) != safe_signs.npos)
        out += c;
      else
        out += fmt::format("%{:02X}", byte);
    }
    return out;
  };
  if (self.is_text() || !is_iterable(self)) return make_text(context.work, quoted(self, "_.-~/"));
  const bool is_dictionary = self.is_dictionary();
  Values pairs;
  if (is_dictionary)
    for (const auto& [key, value] : self.dictionary().pairs()) pairs.push_back(make_tuple(context.work, {key, value}));
  else
    pairs = items_of(context.work, self);
  TextBuilder out(context.work);
  for (const Value& pair : pairs) {
    const Values both = items_of(context.work, pair);
    if (both.size() != 2) fail("urlencode: expected pairs");
    if (!out.text().empty()) out << "&";
    for (const Value& one : both) {
      std::string part = quoted(one, "_.-~ ");
      std::replace(part.begin(), part.end(), ' ', '+');
      out << part << (&one == &both[0] ? "=" : "");
    }
  }
  return Value(out.take());
}

Value word_count(Context& context, const Value& self, const Bound&) {
  const std::string text = written(context.work, self);
  int64_t words = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    const bool is_one = point.value == '_' || is_letter(point.value) || is_numeric(point.value);
    words += is_one && !in_word;
    in_word = is_one;
    at += point.bytes;
  }
  return words;
}

constexpr Builtin kFilters[] = {
    {"abs", "", 0, absolute},
    {"capitalize", "", 0, through<capitalized>},
    {"center", "width", 0, center},
    {"e", "", 0, escape},
    {"escape", "", 0, escape},
    {"float", "default", 0, to_float},
    {"format", "*", 0, format},
    {"indent", "width first blank", 0, indent},
    {"int", "default base", 0, to_whole},
    {"lower", "", 0, through<lower_cased>},
    {"replace", "old new count", 2, replace},
    {"round", "precision method", 0, round},
    {"safe", "", 0, safe},
    {"string", "", 0, string},
    {"title", "", 0, through<titled>},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, to_json},
    {"trim", "chars", 0, trim},
    {"truncate", "length killwords end leeway", 0, truncate},
    {"upper", "", 0, through<upper_cased>},
    {"urlencode", "", 0, url_encode},
    {"wordcount", "", 0, word_count},
};

}  // namespace

Builtins text_filters() { return kFilters; }

}  // namespace eyrie::jinja
