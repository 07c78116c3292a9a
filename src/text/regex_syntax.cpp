// Oniguruma's pattern syntax (Ruby's) where PCRE2 reads it otherwise:
//   \s \w \p{} and classes ([a[bc]], [\w&&[^_]], [[:alpha:]]) are sets of Unicode 16; PCRE2 knows 14
//   \w \W \b \B alone also take the superscripts and fractions of Latin-1 for word characters
//   \v          the vertical tab; in PCRE2 any vertical space
//   \uHHHH      unknown to PCRE2; \xHH from 80 on is a byte, in PCRE2 a character: refused
//   (?m)        "." takes a newline too: PCRE2's (?s). "^" and "$" are at every line: PCRE2_MULTILINE
//   a(?i)b|c    is a(?i:b|c); in PCRE2 a(?i)b|(?i)c
//   (?i)\p{Lu}  is not asked for its other cases
//   x{,n}       from none to n; in PCRE2 literal text
//   x{n,m}+     repeated, not possessive
//   \X \y \Y    segments of text by the tables of another version: refused
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "base/error.h"
#include "text/regex.h"
#include "text/unicode.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

constexpr size_t kDeepestClass = 64;

struct CharacterClass {
  CodePointSet members;
  bool negated = false;  // the class is what `members` lacks
};

CodePointSet set_of(const CharacterClass& read) { return read.negated ? ~read.members : read.members; }

// One of PCRE2's properties, as a pattern spells it.
struct OwnProperty {
  std::string text;
  MembersSince14 members;
};

// Its tables are faster than a list. The wide ones first: what they cover is not asked of the narrow ones.
const std::vector<OwnProperty>& own_properties() {
  static const std::vector<OwnProperty> properties = [] {
    std::vector<OwnProperty> made;
    for (const char* name : {"L", "M", "N", "P", "S", "Lu", "Ll", "Lm", "Lo", "Mn", "Mc", "Nd", "No", "Po", "Sm", "So"})
      made.push_back({fmt::format("\\p{{{}}}", name), members_since_unicode_14(name)});
    return made;
  }();
  return properties;
}

constexpr size_t kShortList = 16;  // bounds; PCRE2 walks what lies beyond Latin-1 one by one

std::string list_text(const CodePointSet& set) {
  std::string text;
  const std::vector<uint32_t>& bounds = set.bounds();
  for (size_t i = 0; i < bounds.size(); i += 2) {
    text += fmt::format("\\x{{{:X}}}", bounds[i]);
    if (bounds[i + 1] - bounds[i] > 1) text += fmt::format("-\\x{{{:X}}}", bounds[i + 1] - 1);
  }
  return text;
}

// The members of a class. Latin-1 is listed whatever else covers it: PCRE2 has a bit map for it.
std::string members_text(const CodePointSet& set, bool ignore_case) {
  static const CodePointSet latin_1 = CodePointSet::range(0, 0xFF), surrogates = CodePointSet::range(0xD800, 0xDFFF);
  std::string text;
  CodePointSet rest = set - surrogates;
  for (const auto& [own, members] : own_properties()) {
    if (ignore_case || rest.bounds().size() <= kShortList) break;
    if (!set.contains(members.maybe) || !(rest - latin_1).contains(members.surely - latin_1)) continue;
    text += own;
    rest = rest - (members.surely - latin_1);
  }
  return text + list_text(rest);
}

// What a class is to PCRE2, which adds the other cases of what it is told under `ignore_case`.
std::string class_text(const CharacterClass& from, bool ignore_case = false) {
  const std::string members = members_text(from.members, ignore_case);
  // Other cases are added before a class is negated: which of the two is written matters then.
  const std::string others = ignore_case ? "" : members_text(~from.members, ignore_case);
  const bool others_are_shorter = !others.empty() && (members.empty() || others.size() < members.size());
  if (members.empty() && others.empty()) return from.negated ? "[\\x{0}-\\x{10FFFF}]" : "[^\\x{0}-\\x{10FFFF}]";
  return fmt::format("[{}{}]", from.negated != others_are_shorter ? "^" : "", others_are_shorter ? others : members);
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '{' && interval()) continue;
      if (c == '(' && options()) continue;
      atom_ = out_.size();
      if (c == '(') groups_.push_back({out_.size(), groups_.back().ignore_case});
      if (c == '\\')
        escape();
      else if (skip("["))
        emit_class(class_members(0));
      else if (c == ')')
        close_group();
      else
        copy(starts_with("(?") ? 2 : 1);
    }
    return out_ + std::string(groups_.back().isolated_options, ')');
  }

 private:
  struct Group {
    size_t begin;  // in out_
    bool ignore_case = false;
    size_t isolated_options = 0;  // groups that "(?i)" opened here, closed where this one is
  };

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorKind::file, "", fmt::format("pattern {}: {} is not supported", pattern_, what));
  }
  bool starts_with(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool skip(std::string_view text) {
    if (!starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  void copy(size_t bytes) { emit(bytes, pattern_.substr(at_, bytes)); }
  void emit(size_t bytes, std::string_view text) {
    out_ += text;
    at_ += bytes;
  }
  void emit_class(const CharacterClass& read) { out_ += class_text(read, groups_.back().ignore_case); }

  void close_group() {
    if (groups_.size() > 1) {
      atom_ = groups_.back().begin;
      out_.append(groups_.back().isolated_options, ')');
      groups_.pop_back();
    }
    copy(1);
  }

  void escape() {
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at the end");
    const char letter = pattern_[at_ + 1];
    if (std::string_view("QENOKCXyY").find(letter) != std::string_view::npos) refuse(fmt::format("\\{}", letter));
    if (letter == 'b') return emit(2, fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word_text()));
    if (letter == 'B') return emit(2, fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word_text()));
    if (letter == 'v') return emit(2, "\\x0B");
    if (letter == 'u' || letter == 'x') {
      const uint32_t point = character();
      return emit_class({CodePointSet::range(point, point)});
    }
    const std::optional<CharacterClass> read = class_escape();
    if (!read) return copy(2);
    // A set that is no class is as it is, whatever (?i) says.
    const std::string text = alone_text(*read);
    out_ += groups_.back().ignore_case ? fmt::format("(?-i:{})", text) : text;
  }

  // A set that stands in no class.
  std::string alone_text(CharacterClass read) const {
    static const CodePointSet latin_1_numbers({0xB2, 0xB4, 0xB9, 0xBA, 0xBC, 0xBF});
    if (read.members == unicode_property("word")) read.members |= latin_1_numbers;
    return class_text(read);
  }
  std::string word_text() const { return alone_text({unicode_property("word").value()}); }

  // \w \d \s \h \p{...} and their opposites; none for any other escape, which is left where it is.
  std::optional<CharacterClass> class_escape() {
    static constexpr std::pair<char, const char*> kNames[] = {
        {'w', "word"}, {'d', "digit"}, {'s', "space"}, {'h', "xdigit"}};
    if (!starts_with("\\") || at_ + 1 >= pattern_.size()) return std::nullopt;
    const char letter = pattern_[at_ + 1];
    if (letter == 'p' || letter == 'P') return property();
    for (const auto& [known, name] : kNames)
      if (known == (letter | 0x20)) return at_ += 2, CharacterClass{unicode_property(name).value(), letter < 'a'};
    return std::nullopt;
  }

  CharacterClass property() {
    const char letter = pattern_[at_ + 1];
    const size_t close = pattern_.find('}', at_);
    if (!pattern_.substr(at_ + 2).starts_with("{") || close == pattern_.npos)
      refuse(fmt::format("\\{} without its braces", letter));
    std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    const bool circumflex = name.starts_with('^');
    if (circumflex) name.remove_prefix(1);
    std::optional<CodePointSet> set = unicode_property(name);
    if (!set) refuse(fmt::format("the property \\p{{{}}}", name));
    at_ = close + 1;
    return {*std::move(set), (letter == 'P') != circumflex};
  }

  // From behind "[" to behind its "]".
  CharacterClass class_members(size_t depth) {
    if (depth == kDeepestClass) refuse("a class this deep in classes");
    const bool negated = skip("^");
    CodePointSet part;
    std::optional<CodePointSet> intersection;
    if (starts_with("]") && pattern_.find(']', at_ + 1) == pattern_.npos) refuse("an empty class");
    for (bool first = true; first || !starts_with("]"); first = false) {
      if (at_ >= pattern_.size()) refuse("an open class");
      if (skip("&&")) {
        intersection = intersection ? *intersection & part : part;
        part = {};
      } else {
        part |= member(depth);
      }
    }
    ++at_;
    return {intersection ? *intersection & part : part, negated};
  }

  // A class in the class, a set, a character, or a range of characters.
  CodePointSet member(size_t depth) {
    std::optional<CodePointSet> set = posix_bracket();
    if (!set && skip("[")) return set_of(class_members(depth + 1));
    if (!set)
      if (const std::optional<CharacterClass> read = class_escape()) set = set_of(*read);
    if (set && hyphen_joins()) refuse("a range that begins with a set");
    if (set) return *set;
    const uint32_t first = character();
    if (!hyphen_joins()) return CodePointSet::range(first, first);
    ++at_;
    if (starts_with("[") || class_escape()) refuse("a range that ends in a set");
    const uint32_t last = character();
    if (last < first) refuse("a range that ends before it begins");
    return CodePointSet::range(first, last);
  }

  bool hyphen_joins() const { return starts_with("-") && !starts_with("-]") && !starts_with("-&&"); }

  // [:name:] or [:^name:]; none when it is not one, but a class in the class.
  std::optional<CodePointSet> posix_bracket() {
    static constexpr std::string_view kNames[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit",  "graph",
                                                  "lower", "print", "punct", "space", "upper", "xdigit", "word"};
    if (!starts_with("[:")) return std::nullopt;
    const bool negated = starts_with("[:^");
    const size_t begin = at_ + (negated ? 3 : 2);
    size_t end = begin;
    while (end < pattern_.size() && pattern_[end] >= 'a' && pattern_[end] <= 'z') ++end;
    if (!pattern_.substr(end).starts_with(":]")) return std::nullopt;
    const std::string_view name = pattern_.substr(begin, end - begin);
    if (std::ranges::find(kNames, name) == std::end(kNames)) refuse(fmt::format("[:{}:]", name));
    at_ = end + 2;
    return set_of({unicode_property(name == "punct" ? "posixpunct" : name).value(), negated});
  }

  // A character in a class, or one that \xHH, \x{H...}, \uHHHH, \n or the like is.
  uint32_t character() {
    static constexpr std::string_view kLetters = "tnvrbfae", kControls = "\t\n\v\r\b\f\a\x1B";
    const bool escaped = skip("\\");
    if (at_ >= pattern_.size()) refuse(escaped ? "a backslash at the end" : "an open class");
    const char c = escaped ? pattern_[at_] : '\0';
    if (const size_t letter = kLetters.find(c); letter != kLetters.npos)
      return ++at_, static_cast<uint32_t>(kControls[letter]);
    if (c >= '0' && c <= '7') return number(8, 3, 0x7F);
    if (escaped && std::string_view("cCMopP").find(c) != std::string_view::npos)
      refuse(fmt::format("\\{} in a class", c));
    if (c != 'x' && c != 'u') {
      const CodePoint point = code_point_at(pattern_, at_);
      at_ += point.bytes;
      return point.value;
    }
    ++at_;
    if (c == 'u') return number(16, 4, 0xFFFF, 4);
    if (!skip("{")) return number(16, 2, 0x7F);  // beyond, Oniguruma takes it for a byte of a character
    const uint32_t value = number(16, 8, kEndOfCodePoints - 1, 1);
    if (!skip("}")) refuse("several characters in one \\x{}");
    return value;
  }

  uint32_t number(int base, size_t most_digits, uint32_t largest, size_t fewest_digits = 0) {
    const std::string_view rest = pattern_.substr(at_, most_digits);
    uint64_t value = 0;
    const auto* end = std::from_chars(rest.data(), rest.data() + rest.size(), value, base).ptr;
    const auto digits = static_cast<size_t>(end - rest.data());
    at_ += digits;
    if (digits < fewest_digits) refuse(fmt::format("a character written with {} digits", digits));
    if (value > largest || (value >= 0xD800 && value <= 0xDFFF))  // a surrogate
      refuse(fmt::format("the character 0x{:X} written so", value));
    return static_cast<uint32_t>(value);
  }

  // (?imx-imx) and (?imx-imx:...): the letter m. False for other groups, which are the same in both.
  bool options() {
    const size_t end = starts_with("(?") ? pattern_.find_first_not_of("imx-", at_ + 2) : pattern_.npos;
    if (end == pattern_.npos || end == at_ + 2 || (pattern_[end] != ')' && pattern_[end] != ':')) return false;
    const bool isolated = pattern_[end] == ')';
    if (isolated)
      ++groups_.back().isolated_options;
    else
      groups_.push_back({out_.size(), groups_.back().ignore_case});
    out_ += "(?";
    bool on = true;
    for (const char c : pattern_.substr(at_ + 2, end - at_ - 2)) {
      if (c == '-') on = false;
      if (c == 'i') groups_.back().ignore_case = on;
      out_ += c == 'm' ? 's' : c;
    }
    out_ += ':';
    at_ = end + 1;
    return true;
  }

  // {n,m} behind the last atom; false when the brace is literal text.
  bool interval() {
    const size_t close = pattern_.find('}', at_);
    const std::string_view bounds =
        close == pattern_.npos ? std::string_view() : pattern_.substr(at_ + 1, close - at_ - 1);
    if (bounds.empty() || bounds.find_first_not_of("0123456789,") != bounds.npos) return false;
    out_ += bounds[0] == ',' ? fmt::format("{{0{}}}", bounds) : fmt::format("{{{}}}", bounds);
    at_ = close + 1;
    if (starts_with("+")) {
      out_.insert(atom_, "(?:");
      emit(1, ")+");
    }
    return true;
  }

  std::string_view pattern_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = 0;                 // where the last atom begins in out_
  std::vector<Group> groups_{{0}};  // the pattern, and the open groups in it
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace eyrie
