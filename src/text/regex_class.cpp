#include "text/regex_class.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "base/error.h"
#include "text/unicode.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

constexpr size_t kDeepestClass = 64;
constexpr uint32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

bool is_surrogate(uint32_t value) { return value >= kFirstSurrogate && value <= kLastSurrogate; }

uint32_t digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<uint32_t>(lower - 'a' + 10) : UINT32_MAX;
}

class ClassParser {
 public:
  ClassParser(std::string_view pattern, size_t at) : pattern_(pattern), at_(at) {}
  size_t at() const { return at_; }

  // From behind "[" to behind its "]".
  CharacterClass read(size_t depth = 0) {
    if (depth == kDeepestClass) refuse("a class this deep in classes");
    CharacterClass out;
    out.negated = skip("^");
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
    out.members = intersection ? *intersection & part : part;
    return out;
  }

  uint32_t character() {
    if (at_ >= pattern_.size()) refuse("an open class");
    if (pattern_[at_] == '\\') return escaped_character();
    const CodePoint point = code_point_at(pattern_, at_);
    at_ += point.bytes;
    return point.value;
  }

 private:
  bool starts_with(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool skip(std::string_view text) {
    if (!starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  [[noreturn]] void refuse(std::string_view what) const { refuse_pattern(pattern_, what); }

  // A class in the class, a set, a character, or a range of characters.
  CodePointSet member(size_t depth) {
    if (starts_with("[:"))
      if (const std::optional<CodePointSet> set = posix_bracket()) return whole(*set);
    if (skip("[")) {
      const CharacterClass inner = read(depth + 1);
      return inner.negated ? ~inner.members : inner.members;
    }
    if (const std::optional<CharacterClass> set = read_class_escape(pattern_, at_)) {
      at_ = set->end;
      return whole(set->negated ? ~set->members : set->members);
    }
    const uint32_t first = character();
    if (!hyphen_joins()) return CodePointSet::range(first, first);
    ++at_;
    if (starts_with("[") || read_class_escape(pattern_, at_)) refuse("a range that ends in a set");
    const uint32_t last = character();
    if (last < first) refuse("a range that ends before it begins");
    return CodePointSet::range(first, last);
  }

  bool hyphen_joins() const { return starts_with("-") && !starts_with("-]") && !starts_with("-&&"); }
  const CodePointSet& whole(const CodePointSet& set) const {
    if (hyphen_joins()) refuse("a range that begins with a set");
    return set;
  }

  // [:name:] or [:^name:]; none when it is not one, but a class in the class.
  std::optional<CodePointSet> posix_bracket() {
    static constexpr std::string_view kNames[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit",  "graph",
                                                  "lower", "print", "punct", "space", "upper", "xdigit", "word"};
    size_t begin = at_ + 2;
    const bool negated = pattern_.substr(begin).starts_with("^");
    if (negated) ++begin;
    size_t end = begin;
    while (end < pattern_.size() && pattern_[end] >= 'a' && pattern_[end] <= 'z') ++end;
    if (!pattern_.substr(end).starts_with(":]")) return std::nullopt;
    const std::string_view name = pattern_.substr(begin, end - begin);
    if (std::ranges::find(kNames, name) == std::end(kNames)) refuse(fmt::format("[:{}:]", name));
    at_ = end + 2;
    const CodePointSet set = unicode_property(name == "punct" ? "posixpunct" : name).value();
    return negated ? ~set : set;
  }

  uint32_t escaped_character() {
    static constexpr std::string_view kLetters = "tnvrbfae", kControls = "\t\n\v\r\b\f\a\x1B";
    if (++at_ >= pattern_.size()) refuse("a backslash at the end");
    const char c = pattern_[at_];
    if (const size_t letter = kLetters.find(c); letter != kLetters.npos)
      return ++at_, static_cast<uint32_t>(kControls[letter]);
    if (c >= '0' && c <= '7') return number(8, 3, 0x7F);
    if (std::string_view("cCMopP").find(c) != std::string_view::npos) refuse(fmt::format("\\{} in a class", c));
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

  uint32_t number(uint32_t base, size_t most_digits, uint32_t largest, size_t fewest_digits = 0) {
    const size_t begin = at_;
    uint64_t value = 0;
    for (; at_ < pattern_.size() && at_ - begin < most_digits && digit_value(pattern_[at_]) < base; ++at_)
      value = value * base + digit_value(pattern_[at_]);
    if (at_ - begin < fewest_digits) refuse(fmt::format("a character written with {} digits", at_ - begin));
    if (value > largest || is_surrogate(static_cast<uint32_t>(value)))
      refuse(fmt::format("the character 0x{:X} written so", value));
    return static_cast<uint32_t>(value);
  }

  std::string_view pattern_;
  size_t at_;
};

CharacterClass read_property(std::string_view pattern, size_t at) {
  const bool upper = pattern[at + 1] == 'P';
  const size_t close = pattern.find('}', at);
  if (at + 2 >= pattern.size() || pattern[at + 2] != '{' || close == pattern.npos)
    refuse_pattern(pattern, fmt::format("\\{} without its braces", pattern[at + 1]));
  std::string_view name = pattern.substr(at + 3, close - at - 3);
  const bool circumflex = name.starts_with('^');
  if (circumflex) name.remove_prefix(1);
  std::optional<CodePointSet> set = unicode_property(name);
  if (!set) refuse_pattern(pattern, fmt::format("the property \\p{{{}}}", name));
  return {.members = *std::move(set), .negated = upper != circumflex, .end = close + 1};
}

// One of PCRE2's properties. From Unicode 14 to 16 its members lie between `surely` and `maybe`.
struct OwnProperty {
  std::string_view text;
  CodePointSet surely, maybe;
};

OwnProperty own_property(std::string_view text, Category first, Category last) {
  OwnProperty property{text, {}, {}};
  for (auto i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
    const auto category = static_cast<Category>(i);
    property.surely |= category_set(category) - newer_than_unicode_14();
    property.maybe |= category_set(category) | former_members(category);
  }
  return property;
}

// The wide ones first: what they cover is not asked of the narrow ones.
const std::vector<OwnProperty>& own_properties() {
  using enum Category;
  static const std::vector<OwnProperty> properties = {
      own_property("\\p{L}", lu, lo),  own_property("\\p{M}", mn, me),  own_property("\\p{N}", nd, no),
      own_property("\\p{P}", pc, po),  own_property("\\p{S}", sm, so),  own_property("\\p{Lu}", lu, lu),
      own_property("\\p{Ll}", ll, ll), own_property("\\p{Lm}", lm, lm), own_property("\\p{Lo}", lo, lo),
      own_property("\\p{Mn}", mn, mn), own_property("\\p{Mc}", mc, mc), own_property("\\p{Nd}", nd, nd),
      own_property("\\p{No}", no, no), own_property("\\p{Po}", po, po), own_property("\\p{Sm}", sm, sm),
      own_property("\\p{So}", so, so)};
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

// The members of a class in PCRE2's words. Latin-1 is listed whatever else covers it: PCRE2 has a bit map for it.
std::string members_text(const CodePointSet& set, ClassReader reader) {
  static const CodePointSet latin_1 = CodePointSet::range(0, 0xFF);
  static const CodePointSet surrogates = CodePointSet::range(kFirstSurrogate, kLastSurrogate);
  std::string text;
  CodePointSet rest = set - surrogates;
  for (const OwnProperty& own : own_properties()) {
    if (reader.ignore_case || rest.bounds().size() <= kShortList) break;
    if (!set.contains(own.maybe) || !(rest - latin_1).contains(own.surely - latin_1)) continue;
    text += own.text;
    rest = rest - (own.surely - latin_1);
  }
  const CodePointSet settled = rest - newer_than_unicode_14();
  const bool shorter = !reader.newer && settled.bounds().size() < rest.bounds().size();
  return text + list_text(shorter ? settled : rest);
}

}  // namespace

void refuse_pattern(std::string_view pattern, std::string_view what) {
  throw Error(ErrorKind::file, "", fmt::format("pattern {}: {} is not supported", pattern, what));
}

CharacterClass read_class(std::string_view pattern, size_t at) {
  ClassParser parser(pattern, at + 1);
  CharacterClass read = parser.read();
  read.end = parser.at();
  return read;
}

CharacterClass read_character(std::string_view pattern, size_t at) {
  ClassParser parser(pattern, at);
  const uint32_t character = parser.character();
  return {.members = CodePointSet::range(character, character), .end = parser.at()};
}

std::optional<CharacterClass> read_class_escape(std::string_view pattern, size_t at) {
  if (at + 1 >= pattern.size() || pattern[at] != '\\') return std::nullopt;
  const char letter = pattern[at + 1];
  if (letter == 'p' || letter == 'P') return read_property(pattern, at);
  static constexpr std::pair<char, std::string_view> kNames[] = {
      {'w', "word"}, {'d', "digit"}, {'s', "space"}, {'h', "xdigit"}};
  const auto found =
      std::ranges::find(kNames, static_cast<char>(letter | 0x20), &std::pair<char, std::string_view>::first);
  if (found == std::end(kNames)) return std::nullopt;
  return CharacterClass{.members = unicode_property(found->second).value(), .negated = letter < 'a', .end = at + 2};
}

std::string class_text(const CharacterClass& from, ClassReader reader) {
  const std::string members = members_text(from.members, reader);
  // Other cases are added before a class is negated: which of the two is written matters then.
  const std::string others = reader.ignore_case ? "" : members_text(~from.members, reader);
  const bool others_are_shorter = !others.empty() && (members.empty() || others.size() < members.size());
  if (members.empty() && others.empty()) return from.negated ? "[\\x{0}-\\x{10FFFF}]" : "[^\\x{0}-\\x{10FFFF}]";
  return fmt::format("[{}{}]", from.negated != others_are_shorter ? "^" : "", others_are_shorter ? others : members);
}

}  // namespace eyrie
