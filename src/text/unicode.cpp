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

// What a lead byte promises: the length of the character and the range of its second byte, which keeps out overlong
// forms, surrogates and values past U+10FFFF.
struct LeadByte {
  uint32_t length;  // 0: no character begins so
  uint8_t second_min, second_max;
};

LeadByte lead_byte(uint8_t lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead < 0xF0)
    return {3, static_cast<uint8_t>(lead == 0xE0 ? 0xA0 : 0x80), static_cast<uint8_t>(lead == 0xED ? 0x9F : 0xBF)};
  if (lead < 0xF5)
    return {4, static_cast<uint8_t>(lead == 0xF0 ? 0x90 : 0x80), static_cast<uint8_t>(lead == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

// The character at `offset`, as far as its bytes go: `valid` of `length` bytes are what they must be.
struct Scanned {
  uint32_t length;
  uint32_t valid;
  bool ended;  // the text ended before the character did
};

Scanned scan(std::string_view text, size_t offset) {
  const LeadByte lead = lead_byte(byte_at(text, offset));
  if (lead.length == 0) return {0, 0, false};
  uint32_t valid = 1;
  while (valid < lead.length && offset + valid < text.size()) {
    const uint8_t byte = byte_at(text, offset + valid);
    const uint8_t low = valid == 1 ? lead.second_min : 0x80, high = valid == 1 ? lead.second_max : 0xBF;
    if (byte < low || byte > high) return {lead.length, valid, false};
    ++valid;
  }
  return {lead.length, valid, valid < lead.length};
}

utf8proc_int32_t signed_point(uint32_t code_point) { return static_cast<utf8proc_int32_t>(code_point); }

constexpr size_t kLongestDecomposition = 32;  // code points of one character; Unicode's longest has 18

struct Range {
  uint32_t first, last;
};

bool in_ranges(const Range* begin, const Range* end, uint32_t code_point) {
  return std::any_of(begin, end,
                     [=](const Range& range) { return range.first <= code_point && code_point <= range.last; });
}

}  // namespace

size_t first_invalid_byte(std::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    const Scanned character = scan(text, offset);
    if (character.length == 0 || character.valid < character.length) return offset;
    offset += character.length;
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
  for (size_t count = 1; count <= std::min<size_t>(3, bytes.size()); ++count) {
    const size_t offset = bytes.size() - count;
    if ((byte_at(bytes, offset) & 0xC0) == 0x80) continue;
    return scan(bytes, offset).ended ? count : 0;
  }
  return 0;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  for (size_t offset = 0; offset < bytes.size();) {
    const Scanned character = scan(bytes, offset);
    const bool whole = character.length > 0 && character.valid == character.length;
    text += whole ? bytes.substr(offset, character.length) : kReplacementCharacter;
    offset += std::max<size_t>(1, character.valid);
  }
  return text;
}

bool is_white_space(uint32_t code_point) {
  static constexpr Range kRanges[] = {{0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                      {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                      {0x205F, 0x205F}, {0x3000, 0x3000}};
  return in_ranges(std::begin(kRanges), std::end(kRanges), code_point);
}

bool is_numeric(uint32_t code_point) {
  static const CodePointSet numbers = unicode_property("Number").value();
  return code_point < 0x80 ? code_point >= '0' && code_point <= '9' : numbers.contains(code_point);
}

bool is_word(uint32_t code_point) {
  static const CodePointSet words = unicode_property("Word").value() | unicode_property("Join_Control").value();
  return words.contains(code_point);
}

bool is_mark(uint32_t code_point) {
  const auto category = utf8proc_category(signed_point(code_point));
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_letter(uint32_t code_point) {
  const auto category = utf8proc_category(signed_point(code_point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_title_case(uint32_t code_point) { return utf8proc_category(signed_point(code_point)) == UTF8PROC_CATEGORY_LT; }

bool is_upper_case(uint32_t code_point) {
  // Other_Uppercase: Roman numerals, letters in circles and squares.
  static constexpr Range kOthers[] = {
      {0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
  return utf8proc_category(signed_point(code_point)) == UTF8PROC_CATEGORY_LU ||
         in_ranges(std::begin(kOthers), std::end(kOthers), code_point);
}

bool is_printable(uint32_t code_point) {
  const auto category = utf8proc_category(signed_point(code_point));
  return code_point == ' ' || (category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS);
}

namespace {

// What a character without a capital of its own is written with: the ligature fi by f and i. Its folding says so.
std::vector<uint32_t> parts_without_case(uint32_t code_point) {
  std::array<utf8proc_int32_t, kLongestDecomposition> parts;
  if (code_point < 0x80 || is_upper_case(code_point)) return {};
  const auto count = utf8proc_decompose_char(signed_point(code_point), parts.data(), kLongestDecomposition,
                                             UTF8PROC_CASEFOLD, nullptr);
  if (count < 2) return {};
  return {parts.begin(), parts.begin() + count};
}

}  // namespace

void append_upper_case(std::string& text, uint32_t code_point) {
  const std::vector<uint32_t> parts = parts_without_case(code_point);
  for (const uint32_t part : parts) append_utf8(text, static_cast<uint32_t>(utf8proc_toupper(signed_point(part))));
  if (parts.empty()) append_utf8(text, static_cast<uint32_t>(utf8proc_toupper(signed_point(code_point))));
}

void append_title_case(std::string& text, uint32_t code_point) {
  constexpr uint32_t kSharpS = 0xDF;  // whose capital of its own nobody uses by rule
  const auto title = static_cast<uint32_t>(utf8proc_totitle(signed_point(code_point)));
  const bool is_whole = is_title_case(code_point) || (title != code_point && code_point != kSharpS);
  const std::vector<uint32_t> parts = is_whole ? std::vector<uint32_t>{} : parts_without_case(code_point);
  append_utf8(text, parts.empty() ? title : static_cast<uint32_t>(utf8proc_totitle(signed_point(parts[0]))));
  for (size_t i = 1; i < parts.size(); ++i) append_utf8(text, parts[i]);
}

uint32_t lower_case(uint32_t code_point) { return static_cast<uint32_t>(utf8proc_tolower(signed_point(code_point))); }

uint32_t combining_class(uint32_t code_point) {
  return static_cast<uint32_t>(utf8proc_get_property(signed_point(code_point))->combining_class);
}

bool has_decomposition(uint32_t code_point) {
  return utf8proc_get_property(signed_point(code_point))->decomp_seqindex != UINT16_MAX;
}

void decompose(uint32_t code_point, bool compatible, std::vector<uint32_t>& out) {
  std::array<utf8proc_int32_t, kLongestDecomposition> parts;
  const int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
  const auto count = utf8proc_decompose_char(signed_point(code_point), parts.data(), kLongestDecomposition,
                                             static_cast<utf8proc_option_t>(options), nullptr);
  out.insert(out.end(), parts.begin(), parts.begin() + count);
}

void compose(std::vector<uint32_t>& code_points) {
  std::vector<utf8proc_int32_t> points(code_points.begin(), code_points.end());
  const auto count = utf8proc_normalize_utf32(points.data(), std::ssize(points),
                                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  code_points.assign(points.begin(), points.begin() + count);
}

std::string_view trim_white_space(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const CodePoint first = code_point_at(text, 0);
    if (!is_white_space(first.value)) break;
    text.remove_prefix(first.bytes);
  }
  while (right && !text.empty()) {
    const CodePoint last = code_point_before(text, text.size());
    if (!is_white_space(last.value)) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

}  // namespace eyrie
