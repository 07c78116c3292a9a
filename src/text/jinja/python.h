// text/jinja/python.h: what Python does: operators on values, texts of values, and methods of its str by code point,
// where letters change case one by one. A type that does not fit is Error{input}, as Python's TypeError.
#pragma once
#include <compare>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace eyrie::jinja {

bool equal(Work& work, const Value& left, const Value& right);
std::partial_ordering order(Work& work, const Value& left, const Value& right);
// `sign` as templates spell it: +, in, not in, ==, ...; not `and` and `or`.
Value operate(Work& work, std::string_view sign, const Value& left, const Value& right);

// value[index] of a sequence, text or dict; none where Python raises TypeError or LookupError.
std::optional<Value> find_item(Work& work, const Value& value, const Value& index);
// value[begin:end:step], each a whole number or None.
Value slice(Work& work, const Value& value, const Value& begin, const Value& end, const Value& step);

// Python's str(), repr() and json.dumps().
void write(Work& work, TextBuilder& out, const Value& value);
std::string written(Work& work, const Value& value);
std::string represented(Work& work, const Value& value);
struct JsonStyle {
  bool sorted = false;
  std::optional<size_t> indent = {};
  std::optional<std::pair<std::string, std::string>> separators = {};  // of items, of key and value
};
std::string json_text(Work& work, const Value& value, const JsonStyle& style);

std::string upper_cased(std::string_view text);
std::string lower_cased(std::string_view text);
std::string capitalized(std::string_view text);
std::string titled(std::string_view text);       // str.title: a word is a run of letters
std::string title_words(std::string_view text);  // jinja's: words begin behind white space, hyphens and brackets

int64_t character_count(std::string_view text);
std::string_view characters(std::string_view text, size_t begin, size_t end);  // clamped; begin <= end

// Where `part` stands first, in bytes; npos. In linear time, unlike std::string's, whatever the texts are.
size_t find_first(std::string_view text, std::string_view part);

// Python's strip(characters), rstrip() where left is false, lstrip() where right is.
std::string_view trim_characters(std::string_view text, std::string_view characters, bool left, bool right);

// At white space, or at `separator`; at most so many times, from the right where `from_right`.
std::vector<std::string_view> split_at_space(std::string_view text, size_t most);
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, size_t most = SIZE_MAX,
                                       bool from_right = false);

// With the first `most` of `old` replaced; most < 0: all.
std::string replaced(Work& work, std::string_view text, std::string_view old, std::string_view fresh, int64_t most);

}  // namespace eyrie::jinja
