// text/unicode_tables.h: what tools/unicode_tables.mjs wrote of the Unicode Character Database, version 16.
// Read through text/unicode_property.h.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace eyrie {

// first code point << 5 | category, ascending; each run ends where the next begins. Categories are counted so:
// Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn
extern const std::span<const uint32_t> kCategoryRuns;

// The categories of a mask (1 << category), but for `count` bounds from kPropertyBounds[begin] on, between which
// membership is the opposite.
struct UnicodeProperty {
  uint32_t categories;
  uint32_t begin, count;
};
extern const std::span<const UnicodeProperty> kUnicodeProperties;
extern const std::span<const uint32_t> kPropertyBounds;

// Sorted by name: lower case, no spaces, hyphens or underscores.
struct UnicodePropertyName {
  std::string_view name;
  uint32_t property;
};
extern const std::span<const UnicodePropertyName> kUnicodePropertyNames;

// Bounds of what Unicode 14 does not know or has in another category; and that category.
struct FormerCategory {
  uint32_t code_point;
  uint32_t category;
};
extern const std::span<const uint32_t> kNewerThan14;
extern const std::span<const FormerCategory> kFormerCategories;

// Bounds of what Unicode 9 does not know.
extern const std::span<const uint32_t> kNewerThan9;

}  // namespace eyrie
