// text/jinja/python_text.h: what methods of Python's str do, by code point.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/work.h"

namespace eyrie::jinja {

bool is_python_space(uint32_t code_point);            // White_Space, and the four separators U+001C to U+001F
bool is_all_case(std::string_view text, bool upper);  // str.isupper(), islower(): some of that case, none of another
bool is_python_digit(uint32_t code_point);            // decimals, and superscripts and their like

std::string upper_cased(std::string_view text);
std::string lower_cased(std::string_view text);
std::string capitalized(std::string_view text);
std::string title_cased(std::string_view text);

// Where `part` stands first and last, in bytes; npos. In linear time, unlike std::string's, whatever the texts are.
size_t find_first(std::string_view text, std::string_view part);
size_t find_last(std::string_view text, std::string_view part);

// Python's strip(), rstrip() where left is false, lstrip() where right is; of the characters in `characters`.
std::string_view trim_python_space(std::string_view text, bool left = true, bool right = true);
std::string_view trim_characters(std::string_view text, std::string_view characters, bool left, bool right);

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
// At white space, or at `separator`; at most so many times, from the right where `from_right`.
std::vector<std::string_view> split_at_space(std::string_view text, size_t most, bool from_right);
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, size_t most, bool from_right);

// With the first `most` of `old` replaced; most < 0: all.
std::string replaced(Work& work, std::string_view text, std::string_view old, std::string_view fresh, int64_t most);

// Where text[begin : end] holds `part`, by code point; -1: nowhere.
int64_t find_text(std::string_view text, std::string_view part, int64_t begin, int64_t end, bool from_right);

}  // namespace eyrie::jinja
