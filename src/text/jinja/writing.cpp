// Python's str() and repr(), and json.dumps().
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja/object.h"
#include "text/jinja/operators.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

void represent_text(TextBuilder& out, std::string_view text) {
  const bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
  const std::string_view quote = double_quotes ? "\"" : "'";
  out << quote;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    const std::string_view bytes = text.substr(at, point.bytes);
    at += point.bytes;
    if (bytes == quote || bytes == "\\")
      out << "\\" << bytes;
    else if (point.value == '\n' || point.value == '\r' || point.value == '\t')
      out << (point.value == '\n' ? "\\n" : point.value == '\r' ? "\\r" : "\\t");
    else if (is_printable(point.value))
      out << bytes;
    else
      out << (point.value < 0x100     ? fmt::format("\\x{:02x}", point.value)
              : point.value < 0x10000 ? fmt::format("\\u{:04x}", point.value)
                                      : fmt::format("\\U{:08x}", point.value));
  }
  out << quote;
}

// `depth` bounds what a namespace holds, which holds itself perhaps.
void represent(Work& work, TextBuilder& out, const Value& value, int depth);

void represent_pairs(Work& work, TextBuilder& out, const std::vector<Pair>& pairs, int depth) {
  out << "{";
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0) out << ", ";
    represent(work, out, pairs[i].first, depth);
    out << ": ";
    represent(work, out, pairs[i].second, depth);
  }
  out << "}";
}

void represent_sequence(Work& work, TextBuilder& out, const Sequence& sequence, int depth) {
  if (sequence.kind == Sequence::Kind::generator) fail("a generator is written out: it needs `| list`");
  out << sequence.label;
  if (sequence.kind == Sequence::Kind::range) return;
  const bool view = sequence.kind == Sequence::Kind::view;
  out << (sequence.is_tuple() ? "(" : view ? "([" : "[");
  for (size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) out << ", ";
    represent(work, out, sequence.items[i], depth);
  }
  if (sequence.is_tuple() && sequence.items.size() == 1) out << ",";
  out << (sequence.is_tuple() ? ")" : view ? "])" : "]");
}

void represent(Work& work, TextBuilder& out, const Value& value, int depth) {
  work.spend();
  if (depth > 2 * kMostValueDepth) fail("a value that holds itself is written out");
  if (value.is_undefined())
    out << "Undefined";
  else if (value.is_none())
    out << "None";
  else if (value.is_boolean())
    out << (value.truth() ? "True" : "False");
  else if (value.is_whole())
    out << std::to_string(value.whole());
  else if (value.is_float())
    out << float_text(value.number());
  else if (value.is_markup())
    represent_text(out << "Markup(", value.text()), out << ")";
  else if (value.is_text())
    represent_text(out, value.text());
  else if (value.is_sequence())
    represent_sequence(work, out, value.sequence(), depth + 1);
  else if (value.is_dictionary())
    represent_pairs(work, out, value.dictionary().pairs(), depth + 1);
  else
    out << value.object().written(work, depth + 1);
}

class JsonWriter {
 public:
  JsonWriter(Work& work, const JsonStyle& style)
      : work_(work),
        style_(style),
        between_(style.separators ? *style.separators
                 : style.indent   ? std::pair<std::string, std::string>(",", ": ")
                                  : std::pair<std::string, std::string>(", ", ": ")),
        out_(work) {}

  void write(const Value& value) {
    work_.spend();
    if (value.is_none())
      out_ << "null";
    else if (value.is_boolean())
      out_ << (value.truth() ? "true" : "false");
    else if (value.is_whole())
      out_ << std::to_string(value.whole());
    else if (value.is_float())
      out_ << number(value.number());
    else if (value.is_text())
      write_text(value.text());
    else if (value.is_sequence() && (value.sequence().kind == Sequence::Kind::list || value.sequence().is_tuple()))
      write_items("[", "]", value.sequence().items, [&](const Value& item) { write(item); });
    else if (value.is_dictionary())
      write_members(value.dictionary());
    else
      fail(fmt::format("Object of type {} is not JSON serializable", value.type_name()));
  }
  std::string take() { return out_.take(); }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return float_text(value);
  }

  void write_text(std::string_view text) {
    out_ << "\"";
    for (size_t at = 0; at < text.size();) {
      const CodePoint point = code_point_at(text, at);
      write_character(point.value, text.substr(at, point.bytes));
      at += point.bytes;
    }
    out_ << "\"";
  }

  void write_character(uint32_t point, std::string_view bytes) {
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    const size_t escape = point < 0x80 ? kEscaped.find(static_cast<char>(point)) : kEscaped.npos;
    if (escape != kEscaped.npos)
      out_ << "\\" << kLetters.substr(escape, 1);
    else if (point >= 0x10000 && style_.ascii)
      out_ << fmt::format("\\u{:04x}\\u{:04x}", 0xD7C0 + (point >> 10), 0xDC00 + (point & 0x3FF));
    else if (point < 0x20 || (point >= 0x7F && style_.ascii))
      out_ << fmt::format("\\u{:04x}", point);
    else
      out_ << bytes;
  }

  void write_members(const Dictionary& dictionary) {
    std::vector<Pair> pairs = dictionary.pairs();
    if (style_.sorted)
      std::stable_sort(pairs.begin(), pairs.end(),
                       [&](const Pair& left, const Pair& right) { return order(work_, left.first, right.first) < 0; });
    write_items("{", "}", pairs, [&](const Pair& pair) {
      write_key(pair.first);
      out_ << between_.second;
      write(pair.second);
    });
  }

  void write_key(const Value& key) {
    if (key.is_text()) return write_text(key.text());
    if (!key.is_number() && !key.is_none())
      fail(fmt::format("keys must be str, int, float, bool or None, not {}", key.type_name()));
    out_ << "\"";
    write(key);
    out_ << "\"";
  }

  template <typename Items, typename WriteItem>
  void write_items(const char* open, const char* close, const Items& items, WriteItem write_item) {
    out_ << open;
    ++depth_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ << between_.first;
      new_line();
      write_item(items[i]);
    }
    --depth_;
    if (!items.empty()) new_line();
    out_ << close;
  }

  void new_line() {
    if (!style_.indent) return;
    out_ << "\n";
    for (int i = 0; i < depth_; ++i) out_ << *style_.indent;
  }

  Work& work_;
  const JsonStyle& style_;
  std::pair<std::string, std::string> between_;
  TextBuilder out_;
  int depth_ = 0;
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  char digits[64];
  const auto end =
      std::to_chars(digits, std::end(digits), value, plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(digits, end.ptr);
  return plain && text.find('.') == text.npos ? text + ".0" : text;
}

void write(Work& work, TextBuilder& out, const Value& value) {
  if (value.is_text())
    out << value.text();
  else if (!value.is_undefined())
    represent(work, out, value, 0);
}

std::string written(Work& work, const Value& value) {
  TextBuilder out(work);
  write(work, out, value);
  return out.take();
}

std::string represented(Work& work, const Value& value) {
  TextBuilder out(work);
  represent(work, out, value, 0);
  return out.take();
}

std::string json_text(Work& work, const Value& value, const JsonStyle& style) {
  JsonWriter writer(work, style);
  writer.write(value);
  return writer.take();
}

std::string Namespace::written(Work& work, int depth) const {
  std::vector<Pair> pairs;
  for (const auto& [name, value] : members_) pairs.emplace_back(name, value);
  TextBuilder out(work);
  out << "<Namespace ";
  represent_pairs(work, out, pairs, depth);
  out << ">";
  return out.take();
}

std::optional<Value> Namespace::attribute(Context&, std::string_view name) {
  for (const auto& [found, value] : members_)
    if (found == name) return value;
  return std::nullopt;
}

void Namespace::set(std::string_view name, Value value) {
  for (auto& [found, old] : members_)
    if (found == name) return void(old = std::move(value));
  members_.emplace_back(name, std::move(value));
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace eyrie::jinja
