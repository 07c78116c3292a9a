#include <algorithm>
#include <cstring>

#include "text/jinja/python.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// `append` is told each character and the one before it, 0 before the first.
template <typename Append>
std::string mapped(std::string_view text, Append append) {
  std::string out;
  uint32_t before = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    append(out, point.value, before);
    before = point.value;
    at += point.bytes;
  }
  return out;
}

size_t find_last(std::string_view text, std::string_view part) {
  const std::string back(text.rbegin(), text.rend());
  const size_t found = find_first(back, std::string(part.rbegin(), part.rend()));
  return found == text.npos ? found : text.size() - found - part.size();
}

}  // namespace

std::string upper_cased(std::string_view text) {
  return mapped(text, [](std::string& out, uint32_t point, uint32_t) { append_upper_case(out, point); });
}

std::string lower_cased(std::string_view text) {
  return mapped(text, [](std::string& out, uint32_t point, uint32_t) { append_utf8(out, lower_case(point)); });
}

std::string capitalized(std::string_view text) {
  return mapped(text, [](std::string& out, uint32_t point, uint32_t before) {
    before == 0 ? append_title_case(out, point) : append_utf8(out, lower_case(point));
  });
}

std::string titled(std::string_view text) {
  return mapped(text, [](std::string& out, uint32_t point, uint32_t before) {
    is_letter(before) ? append_utf8(out, lower_case(point)) : append_title_case(out, point);
  });
}

std::string title_words(std::string_view text) {
  return mapped(text, [](std::string& out, uint32_t point, uint32_t before) {
    const bool begins = before < 0x80 && std::string_view("\0-({[<", 6).find(static_cast<char>(before)) != out.npos;
    begins || is_white_space(before) ? append_upper_case(out, point) : append_utf8(out, lower_case(point));
  });
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

size_t find_first(std::string_view text, std::string_view part) {
  const void* found = memmem(text.data(), text.size(), part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : text.npos;
}

std::string_view trim_characters(std::string_view text, std::string_view characters, bool left, bool right) {
  return trim(text, left, right, [&](uint32_t point) {
    std::string character;
    append_utf8(character, point);
    return characters.find(character) != characters.npos;
  });
}

std::vector<std::string_view> split_at_space(std::string_view text, size_t most) {
  std::vector<std::string_view> words;
  for (text = trim_white_space(text, true, false); !text.empty(); text = trim_white_space(text, true, false)) {
    size_t end = 0;
    while (end < text.size() && (words.size() == most || !is_white_space(code_point_at(text, end).value)))
      end += code_point_at(text, end).bytes;
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
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

}  // namespace eyrie::jinja
