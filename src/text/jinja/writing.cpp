// Values as texts: Python's str() and repr(), and json.dumps().
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/python.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

std::string float_text(double value, bool json) {
  if (json && std::isnan(value)) return "NaN";
  if (json && std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".ein") == text.npos ? text + ".0" : text;
}

// repr() and json.dumps() walk alike; without a style of JSON's it is repr().
class Writer {
 public:
  Writer(Work& work, TextBuilder& out, const JsonStyle* json) : work_(work), out_(out), json_(json) {
    if (json && json->indent) between_.first = ",";
    if (json && json->separators) between_ = *json->separators;
  }

  void write(const Value& value) {
    work_.spend();
    if (value.is_text()) return write_text(value.text());
    if (value.is_sequence()) return write_sequence(value);
    if (value.is_dictionary()) return write_members(value.dictionary().pairs);
    out_ << plain_text(value);
  }

 private:
  std::string plain_text(const Value& value) const {
    if (value.is_none()) return json_ ? "null" : "None";
    if (value.is_boolean()) return json_ ? (value.truth() ? "true" : "false") : (value.truth() ? "True" : "False");
    if (value.is_whole()) return std::to_string(value.whole());
    if (value.is_float()) return float_text(value.number(), json_);
    if (value.is_undefined() && !json_) return "Undefined";
    fail(fmt::format("a value of type {} is not written out", value.type_name()));
  }

  void write_text(std::string_view text) {
    const bool double_quotes = json_ || (text.find('\'') != text.npos && text.find('"') == text.npos);
    const char quote = double_quotes ? '"' : '\'';
    out_ << std::string_view(&quote, 1);
    for (size_t at = 0; at < text.size();) {
      const CodePoint point = code_point_at(text, at);
      write_character(point.value, text.substr(at, point.bytes), quote);
      at += point.bytes;
    }
    out_ << std::string_view(&quote, 1);
  }

  void write_character(uint32_t point, std::string_view bytes, char quote) {
    static constexpr std::string_view kEscaped = "\n\r\t\b\f", kLetters = "nrtbf";
    const size_t escape = kEscaped.substr(0, json_ ? 5 : 3).find(bytes);
    const bool shown = json_ ? point >= 0x20 : is_printable(point);
    if (bytes[0] == quote || bytes == "\\") return void(out_ << "\\" << bytes);
    if (escape != kEscaped.npos) return void(out_ << "\\" << kLetters.substr(escape, 1));
    if (shown) return void(out_ << bytes);
    if (point >= 0x10000) return void(out_ << fmt::format("\\U{:08x}", point));
    out_ << (json_ || point >= 0x100 ? fmt::format("\\u{:04x}", point) : fmt::format("\\x{:02x}", point));
  }

  void write_sequence(const Value& value) {
    const bool tuple = value.is_tuple() && !json_;
    const char* close = !tuple ? "]" : value.items().size() == 1 ? ",)" : ")";
    write_items(tuple ? "(" : "[", close, value.items(), [&](const Value& item) { write(item); });
  }

  void write_members(Pairs pairs) {
    if (json_ && json_->sorted)
      std::stable_sort(pairs.begin(), pairs.end(),
                       [&](auto& left, auto& right) { return order(work_, left.first, right.first) < 0; });
    write_items("{", "}", pairs, [&](auto& pair) {
      write_key(pair.first);
      out_ << between_.second;
      write(pair.second);
    });
  }

  void write_key(const Value& key) {
    if (!json_ || key.is_text()) return write(key);
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
    if (!json_ || !json_->indent) return;
    out_ << "\n" << std::string(depth_ * *json_->indent, ' ');
  }

  Work& work_;
  TextBuilder& out_;
  const JsonStyle* json_;
  std::pair<std::string, std::string> between_ = {", ", ": "};
  size_t depth_ = 0;
};

}  // namespace

void write(Work& work, TextBuilder& out, const Value& value) {
  if (value.is_text())
    out << value.text();
  else if (!value.is_undefined())
    Writer(work, out, nullptr).write(value);
}

std::string written(Work& work, const Value& value) {
  TextBuilder out(work);
  write(work, out, value);
  return out.take();
}

std::string represented(Work& work, const Value& value) {
  TextBuilder out(work);
  Writer(work, out, nullptr).write(value);
  return out.take();
}

std::string json_text(Work& work, const Value& value, const JsonStyle& style) {
  TextBuilder out(work);
  Writer(work, out, &style).write(value);
  return out.take();
}

}  // namespace eyrie::jinja
