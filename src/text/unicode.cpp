#include "text/unicode.h"

#include <fmt/core.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

uint8_t byte_at(std::string_view text, size_t offset) { return static_cast<uint8_t>(text[offset]); }

// The bytes of the character that begins here; 0: none does, or it is overlong, a surrogate or past U+10FFFF.
size_t character_bytes(std::string_view text) {
  utf8proc_int32_t point = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  return static_cast<size_t>(std::max<utf8proc_ssize_t>(0, utf8proc_iterate(bytes, std::ssize(text), &point)));
}

// Whether a character begins so and goes on: where any continuation makes one, the lowest or the highest does.
bool begins_character(std::string_view bytes) {
  if (byte_at(bytes, 0) < 0xC0) return false;
  for (const char next : {'\x80', '\xBF'})
    for (size_t length = bytes.size() + 1; length <= 4; ++length)
      if (character_bytes(std::string(bytes) + std::string(length - bytes.size(), next)) == length) return true;
  return false;
}

utf8proc_int32_t signed_point(uint32_t code_point) { return static_cast<utf8proc_int32_t>(code_point); }

// What a character without a capital of its own is written with: the ligature fi by f and i. Its folding says so.
std::vector<uint32_t> parts_without_case(uint32_t code_point) {
  static const CodePointSet capitals = unicode_property("Uppercase").value();
  std::array<utf8proc_int32_t, 4> parts;  // the longest folding has 3
  if (code_point < 0x80 || capitals.contains(code_point)) return {};
  const auto count =
      utf8proc_decompose_char(signed_point(code_point), parts.data(), std::ssize(parts), UTF8PROC_CASEFOLD, nullptr);
  if (count < 2) return {};
  return {parts.begin(), parts.begin() + count};
}

}  // namespace

size_t first_invalid_byte(std::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    const size_t bytes = byte_at(text, offset) < 0x80 ? 1 : character_bytes(text.substr(offset));
    if (bytes == 0) return offset;
    offset += bytes;
  }
  return kAllValid;
}

void check_utf8(std::string_view text) {
  const size_t offset = first_invalid_byte(text);
  if (offset != kAllValid)
    throw Error(ErrorKind::input, "",
                fmt::format("text is not UTF-8: byte 0x{:02X} at offset {}", byte_at(text, offset), offset));
}

CodePoint code_point_at(std::string_view text, size_t offset) {
  const uint32_t lead = byte_at(text, offset);
  if (lead < 0x80) return {lead, 1};
  const uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t value = lead & (0x7Fu >> length);
  for (uint32_t i = 1; i < length; ++i) value = value << 6 | (byte_at(text, offset + i) & 0x3Fu);
  return {value, length};
}

CodePoint code_point_before(std::string_view text, size_t offset) {
  do --offset;
  while ((byte_at(text, offset) & 0xC0) == 0x80);
  return code_point_at(text, offset);
}

void append_utf8(std::string& text, uint32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(signed_point(code_point), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

size_t incomplete_suffix(std::string_view bytes) {
  for (size_t count = 1; count <= std::min<size_t>(3, bytes.size()); ++count)
    if (begins_character(bytes.substr(bytes.size() - count))) return count;
  return 0;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    size_t taken = character_bytes(bytes);
    text += taken > 0 ? bytes.substr(0, taken) : kReplacementCharacter;
    for (bool goes_on = taken == 0; goes_on;
         goes_on = taken < bytes.size() && begins_character(bytes.substr(0, taken + 1)))
      ++taken;
    bytes.remove_prefix(taken);
  }
  return text;
}

bool is_white_space(uint32_t code_point) {
  static const CodePointSet spaces = unicode_property("White_Space").value();
  return spaces.contains(code_point);
}

bool is_numeric(uint32_t code_point) {
  static const CodePointSet numbers = unicode_property("Number").value();
  return code_point < 0x80 ? code_point >= '0' && code_point <= '9' : numbers.contains(code_point);
}

bool is_word(uint32_t code_point) {
  static const CodePointSet words = unicode_property("Word").value() | unicode_property("Join_Control").value();
  return words.contains(code_point);
}

bool is_letter(uint32_t code_point) {
  const auto category = utf8proc_category(signed_point(code_point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_printable(uint32_t code_point) {
  const auto category = utf8proc_category(signed_point(code_point));
  return code_point == ' ' || (category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS);
}

void append_upper_case(std::string& text, uint32_t code_point) {
  const std::vector<uint32_t> parts = parts_without_case(code_point);
  for (const uint32_t part : parts) append_utf8(text, static_cast<uint32_t>(utf8proc_toupper(signed_point(part))));
  if (parts.empty()) append_utf8(text, static_cast<uint32_t>(utf8proc_toupper(signed_point(code_point))));
}

void append_title_case(std::string& text, uint32_t code_point) {
  constexpr uint32_t kSharpS = 0xDF;  // whose capital of its own nobody uses by rule
  const auto title = static_cast<uint32_t>(utf8proc_totitle(signed_point(code_point)));
  const bool is_title_case = utf8proc_category(signed_point(code_point)) == UTF8PROC_CATEGORY_LT;
  const bool is_whole = is_title_case || (title != code_point && code_point != kSharpS);
  const std::vector<uint32_t> parts = is_whole ? std::vector<uint32_t>{} : parts_without_case(code_point);
  append_utf8(text, parts.empty() ? title : static_cast<uint32_t>(utf8proc_totitle(signed_point(parts[0]))));
  for (size_t i = 1; i < parts.size(); ++i) append_utf8(text, parts[i]);
}

uint32_t lower_case(uint32_t code_point) { return static_cast<uint32_t>(utf8proc_tolower(signed_point(code_point))); }

std::string_view trim(std::string_view text, bool left, bool right, const std::function<bool(uint32_t)>& is_trimmed) {
  while (left && !text.empty() && is_trimmed(code_point_at(text, 0).value))
    text.remove_prefix(code_point_at(text, 0).bytes);
  while (right && !text.empty() && is_trimmed(code_point_before(text, text.size()).value))
    text.remove_suffix(code_point_before(text, text.size()).bytes);
  return text;
}

std::string_view trim_white_space(std::string_view text, bool left, bool right) {
  return trim(text, left, right, is_white_space);
}

}  // namespace eyrie
