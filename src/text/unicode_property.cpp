#include "text/unicode_property.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <string>

#include "text/unicode.h"
#include "text/unicode_tables.h"

namespace eyrie {
namespace {

constexpr size_t kCategories = static_cast<size_t>(Category::cn) + 1;
constexpr uint32_t kCategoryBits = 5;

CodePointSet set_of(std::span<const uint32_t> bounds) {
  return CodePointSet(std::vector<uint32_t>(bounds.begin(), bounds.end()));
}

CodePointSet read_categories(uint32_t mask) {
  std::vector<uint32_t> bounds;
  for (const uint32_t run : kCategoryRuns) {
    const bool is_member = (mask >> (run & ((1u << kCategoryBits) - 1)) & 1) != 0;
    if (is_member != (bounds.size() % 2 != 0)) bounds.push_back(run >> kCategoryBits);
  }
  if (bounds.size() % 2 != 0) bounds.push_back(kEndOfCodePoints);
  return CodePointSet(std::move(bounds));
}

std::array<CodePointSet, kCategories> read_each_category() {
  std::array<CodePointSet, kCategories> sets;
  for (size_t i = 0; i < kCategories; ++i) sets[i] = read_categories(1u << i);
  return sets;
}

std::string normalized(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (c != ' ' && c != '-' && c != '_') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// What characters of three or four bytes begin with. Few pairs begin anything new: one bit each spares the search.
constexpr uint8_t kFirstOfThree = 0xE0, kFirstOfFour = 0xF0, kEndOfFirsts = 0xF5;
using Pairs = std::bitset<(kEndOfFirsts - kFirstOfThree) << 6>;

size_t pair_at(std::string_view text, size_t offset) {
  return (static_cast<uint8_t>(text[offset]) - kFirstOfThree) << 6 | (text[offset + 1] & 0x3F);
}

// Of a set from U+0800 on.
Pairs pairs_of(const CodePointSet& set) {
  Pairs pairs;
  for (size_t i = 0; i < set.bounds().size(); i += 2)
    for (uint32_t point = set.bounds()[i]; point < set.bounds()[i + 1]; point = (point | 0x3F) + 1) {
      std::string character;
      append_utf8(character, point);
      pairs.set(pair_at(character, 0));
    }
  return pairs;
}

}  // namespace

const CodePointSet& category_set(Category category) {
  static const std::array<CodePointSet, kCategories> sets = read_each_category();
  return sets[static_cast<size_t>(category)];
}

std::optional<CodePointSet> unicode_property(std::string_view name) {
  const std::string wanted = normalized(name);
  const auto found = std::ranges::lower_bound(kUnicodePropertyNames, wanted, {}, &UnicodePropertyName::name);
  if (found == kUnicodePropertyNames.end() || found->name != wanted) return std::nullopt;
  const UnicodeProperty& property = kUnicodeProperties[found->property];
  return read_categories(property.categories) ^ set_of(kPropertyBounds.subspan(property.begin, property.count));
}

const CodePointSet& newer_than_unicode_14() {
  static const CodePointSet set = set_of(kNewerThan14);
  return set;
}

CodePointSet former_members(Category category) {
  CodePointSet members;
  for (const FormerCategory& former : kFormerCategories)
    if (former.category == static_cast<uint32_t>(category))
      members |= CodePointSet::range(former.code_point, former.code_point);
  return members;
}

bool has_newer_than_unicode_14(std::string_view text) {
  static const Pairs pairs = pairs_of(newer_than_unicode_14());
  for (size_t offset = 0; offset < text.size();) {
    const auto first = static_cast<uint8_t>(text[offset]);
    if (first < kFirstOfThree) {
      ++offset;
      continue;
    }
    if (pairs[pair_at(text, offset)] && newer_than_unicode_14().contains(code_point_at(text, offset).value))
      return true;
    offset += first < kFirstOfFour ? 3 : 4;
  }
  return false;
}

bool is_newer_than_unicode_9(uint32_t code_point) {
  static const CodePointSet set = set_of(kNewerThan9);
  return set.contains(code_point);
}

}  // namespace eyrie
