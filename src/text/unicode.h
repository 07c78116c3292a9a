// text/unicode.h: UTF-8, the classes of characters that tokenizers ask for (of Unicode 16: text/unicode_property.h),
// and what templates do (tables of utf8proc).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

struct CodePoint {
  uint32_t value;
  uint32_t bytes;  // 1 .. 4
};

inline constexpr size_t kAllValid = SIZE_MAX;
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

size_t first_invalid_byte(std::string_view text);                   // kAllValid when text is UTF-8
void check_utf8(std::string_view text);                             // Error{input} naming the offset
CodePoint code_point_at(std::string_view text, size_t offset);      // text must be valid and offset a character's first
CodePoint code_point_before(std::string_view text, size_t offset);  // the one that ends at offset > 0
void append_utf8(std::string& text, uint32_t code_point);           // code_point is a scalar value
size_t incomplete_suffix(std::string_view bytes);                   // bytes at the end that may begin a character
std::string replace_invalid_utf8(std::string_view bytes);           // U+FFFD per maximal invalid part

bool is_white_space(uint32_t code_point);  // White_Space
bool is_numeric(uint32_t code_point);      // categories Nd, Nl, No
bool is_word(uint32_t code_point);         // \w: letters, marks, digits, connectors, joiners
bool is_letter(uint32_t code_point);       // categories L*
bool is_printable(uint32_t code_point);    // no control, format, surrogate, unassigned; of separators the space
uint32_t lower_case(uint32_t code_point);  // of one character, as one character
void append_upper_case(std::string& text, uint32_t code_point);  // in full: some characters become several
void append_title_case(std::string& text, uint32_t code_point);

// Without what stands at its ends and `is_trimmed`.
std::string_view trim(std::string_view text, bool left, bool right, const std::function<bool(uint32_t)>& is_trimmed);
std::string_view trim_white_space(std::string_view text, bool left = true, bool right = true);

}  // namespace eyrie
