#include "text/jinja/python_text.h"

#include <algorithm>
#include <cstring>

#include "text/jinja/operators.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

bool is_cased(uint32_t point) { return is_lower_case(point) || is_upper_case(point) || is_title_case(point); }

// A capital sigma ends a word where a letter stands before it and none behind; marks and dots are looked through.
bool ends_word(std::string_view text, size_t begin, size_t end) {
  const auto is_ignored = [](uint32_t point) {
    return is_mark(point) || point == '\'' || point == '.' || point == ':';
  };
  CodePoint point{0, 0};
  while (begin > 0 && (point = code_point_before(text, begin), is_ignored(point.value))) begin -= point.bytes;
  if (begin == 0 || !is_cased(point.value)) return false;
  while (end < text.size() && (point = code_point_at(text, end), is_ignored(point.value))) end += point.bytes;
  return end >= text.size() || !is_cased(point.value);
}

void append_lower_case(std::string& out, std::string_view text, size_t at, CodePoint point) {
  constexpr uint32_t kDottedI = 0x130, kSigma = 0x3A3, kFinalSigma = 0x3C2, kDot = 0x307;
  if (point.value == kDottedI) {
    out += 'i';
    return append_utf8(out, kDot);
  }
  const bool is_final = point.value == kSigma && ends_word(text, at, at + point.bytes);
  append_utf8(out, is_final ? kFinalSigma : lower_case(point.value));
}

template <typename Append>
std::string mapped(std::string_view text, Append append) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    append(out, at, point);
    at += point.bytes;
  }
  return out;
}

template <typename IsTrimmed>
std::string_view trimmed(std::string_view text, bool left, bool right, IsTrimmed is_trimmed) {
  while (left && !text.empty()) {
    const CodePoint first = code_point_at(text, 0);
    if (!is_trimmed(first.value, text.substr(0, first.bytes))) break;
    text.remove_prefix(first.bytes);
  }
  while (right && !text.empty()) {
    const CodePoint last = code_point_before(text, text.size());
    if (!is_trimmed(last.value, text.substr(text.size() - last.bytes))) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

}  // namespace

bool is_python_space(uint32_t code_point) {
  return is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

bool is_all_case(std::string_view text, bool upper) {
  bool found = false;
  for (size_t at = 0; at < text.size(); at += code_point_at(text, at).bytes) {
    const uint32_t point = code_point_at(text, at).value;
    const bool fits = upper ? is_upper_case(point) : is_lower_case(point);
    if (is_cased(point) && !fits) return false;
    found = found || fits;
  }
  return found;
}

bool is_python_digit(uint32_t code_point) {
  if (is_decimal(code_point)) return true;
  if (!is_numeric(code_point) || !has_decomposition(code_point)) return false;
  std::vector<uint32_t> parts;
  decompose(code_point, true, parts);
  return parts.size() == 1 && is_decimal(parts[0]);
}

size_t find_first(std::string_view text, std::string_view part) {
  const void* found = memmem(text.data(), text.size(), part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : text.npos;
}

size_t find_last(std::string_view text, std::string_view part) {
  const std::string back(text.rbegin(), text.rend());
  const size_t found = find_first(back, std::string(part.rbegin(), part.rend()));
  return found == text.npos ? found : text.size() - found - part.size();
}

std::string upper_cased(std::string_view text) {
  return mapped(text, [](std::string& out, size_t, CodePoint point) { append_upper_case(out, point.value); });
}

std::string lower_cased(std::string_view text) {
  return mapped(text, [&](std::string& out, size_t at, CodePoint point) { append_lower_case(out, text, at, point); });
}

std::string capitalized(std::string_view text) {
  return mapped(text, [&](std::string& out, size_t at, CodePoint point) {
    at == 0 ? append_title_case(out, point.value) : append_lower_case(out, text, at, point);
  });
}

std::string title_cased(std::string_view text) {
  bool in_word = false;
  return mapped(text, [&](std::string& out, size_t at, CodePoint point) {
    in_word ? append_lower_case(out, text, at, point) : append_title_case(out, point.value);
    in_word = is_cased(point.value);
  });
}

std::string_view trim_python_space(std::string_view text, bool left, bool right) {
  return trimmed(text, left, right, [](uint32_t point, std::string_view) { return is_python_space(point); });
}

std::string_view trim_characters(std::string_view text, std::string_view characters, bool left, bool right) {
  return trimmed(text, left, right,
                 [&](uint32_t, std::string_view bytes) { return characters.find(bytes) != characters.npos; });
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  constexpr uint32_t kBreaks[] = {'\n', '\v', '\f', '\r', 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029};
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    size_t end = at + point.bytes;
    if (std::find(std::begin(kBreaks), std::end(kBreaks), point.value) != std::end(kBreaks)) {
      if (point.value == '\r' && end < text.size() && text[end] == '\n') ++end;
      lines.push_back(text.substr(begin, (keep_ends ? end : at) - begin));
      begin = end;
    }
    at = end;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::vector<std::string_view> split_at_space(std::string_view text, size_t most, bool from_right) {
  std::vector<std::string_view> words;
  for (text = trim_python_space(text, !from_right, from_right); !text.empty();
       text = trim_python_space(text, !from_right, from_right)) {
    if (words.size() == most) {
      words.push_back(text);
      break;
    }
    size_t at = from_right ? text.size() : 0;
    while (from_right ? at > 0 : at < text.size()) {
      const CodePoint point = from_right ? code_point_before(text, at) : code_point_at(text, at);
      if (is_python_space(point.value)) break;
      at = from_right ? at - point.bytes : at + point.bytes;
    }
    words.push_back(from_right ? text.substr(at) : text.substr(0, at));
    from_right ? text.remove_suffix(text.size() - at) : text.remove_prefix(at);
  }
  if (from_right) std::reverse(words.begin(), words.end());
  return words;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, size_t most,
                                       bool from_right) {
  std::vector<std::string_view> parts;
  while (parts.size() < most) {
    const size_t at = from_right ? find_last(text, separator) : find_first(text, separator);
    if (at == text.npos) break;
    const size_t behind = at + separator.size();
    parts.push_back(from_right ? text.substr(behind) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(behind);
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::string replaced(Work& work, std::string_view text, std::string_view old, std::string_view fresh, int64_t most) {
  TextBuilder out(work);
  for (int64_t done = 0; done != most; ++done) {
    // Nothing stands before every character, and at the end.
    const size_t at = !old.empty()   ? find_first(text, old)
                      : done == 0    ? 0
                      : text.empty() ? text.npos
                                     : code_point_at(text, 0).bytes;
    if (at == text.npos) break;
    out << text.substr(0, at) << fresh;
    text.remove_prefix(at + old.size());
  }
  out << text;
  return out.take();
}

int64_t find_text(std::string_view text, std::string_view part, int64_t begin, int64_t end, bool from_right) {
  const int64_t length = character_count(text);
  const auto place = [&](int64_t at) { return std::max<int64_t>(0, at < 0 ? at + length : at); };
  begin = place(begin);
  end = std::min(length, place(end));
  if (begin > end) return -1;
  const std::string_view searched = characters(text, static_cast<size_t>(begin), static_cast<size_t>(end));
  const size_t found = from_right ? find_last(searched, part) : find_first(searched, part);
  return found == searched.npos ? -1 : begin + character_count(searched.substr(0, found));
}

}  // namespace eyrie::jinja
