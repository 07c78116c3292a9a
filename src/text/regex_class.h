// text/regex_class.h: character classes as Oniguruma reads them ([a-z], [^\s\p{L}], [a[bc]], [\w&&[^_]], [[:alpha:]])
// and as PCRE2 has to be told.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "text/code_point_set.h"

namespace eyrie {

[[noreturn]] void refuse_pattern(std::string_view pattern, std::string_view what);  // Error{file}

struct CharacterClass {
  CodePointSet members;
  bool negated = false;  // the class is what `members` lacks
  size_t end = 0;        // where the pattern goes on
};

// The class that opens at pattern[at]. Error{file} for what Oniguruma refuses or reads by the byte.
CharacterClass read_class(std::string_view pattern, size_t at);

// \w \d \s \h \p{...} and their opposites, at pattern[at]; none for any other escape.
std::optional<CharacterClass> read_class_escape(std::string_view pattern, size_t at);

// The one character that \xHH, \x{H...}, \uHHHH, \n or the like at pattern[at] is.
CharacterClass read_character(std::string_view pattern, size_t at);

// What a class is to PCRE2. Its own tables are older than ours: without `newer`, the text is right for subjects of
// which has_newer_than_unicode_14 is false, and faster. Under `ignore_case` PCRE2 adds the other cases of what it is
// told.
struct ClassReader {
  bool newer = false;
  bool ignore_case = false;
};
std::string class_text(const CharacterClass& from, ClassReader reader);

}  // namespace eyrie
