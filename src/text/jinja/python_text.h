// text/jinja/python_text.h: what methods of Python's str do, by code point. Letters change case one by one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace eyrie::jinja {

std::string upper_cased(std::string_view text);
std::string lower_cased(std::string_view text);
std::string capitalized(std::string_view text);
std::string titled(std::string_view text);       // str.title: a word is a run of letters
std::string title_words(std::string_view text);  // jinja's: words begin behind white space, hyphens and brackets

int64_t character_count(std::string_view text);
std::string_view characters(std::string_view text, size_t begin, size_t end);  // clamped; begin <= end

// Where `part` stands first and last, in bytes; npos. In linear time, unlike std::string's, whatever the texts are.
size_t find_first(std::string_view text, std::string_view part);
size_t find_last(std::string_view text, std::string_view part);

// Python's strip(characters), rstrip() where left is false, lstrip() where right is.
std::string_view trim_characters(std::string_view text, std::string_view characters, bool left, bool right);

// At white space, or at `separator`; at most so many times, from the right where `from_right`.
std::vector<std::string_view> split_at_space(std::string_view text, size_t most);
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, size_t most = SIZE_MAX,
                                       bool from_right = false);

// With the first `most` of `old` replaced; most < 0: all.
std::string replaced(Work& work, std::string_view text, std::string_view old, std::string_view fresh, int64_t most);

}  // namespace eyrie::jinja
