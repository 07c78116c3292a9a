#include "text/unicode_property.h"

#include <algorithm>
#include <string>

#include "text/unicode_tables.h"

namespace eyrie {
namespace {

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

std::string normalized(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (c != ' ' && c != '-' && c != '_') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

const UnicodeProperty* find_property(std::string_view name) {
  const std::string wanted = normalized(name);
  const auto found = std::ranges::lower_bound(kUnicodePropertyNames, wanted, {}, &UnicodePropertyName::name);
  return found == kUnicodePropertyNames.end() || found->name != wanted ? nullptr : &kUnicodeProperties[found->property];
}

}  // namespace

bool CodePointSet::contains(uint32_t code_point) const {
  return (std::upper_bound(bounds_.begin(), bounds_.end(), code_point) - bounds_.begin()) % 2 != 0;
}

CodePointSet CodePointSet::combined(const CodePointSet& other, unsigned members) const {
  const std::vector<uint32_t>&a = bounds_, &b = other.bounds_;
  std::vector<uint32_t> bounds;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const uint32_t bound = j == b.size() || (i < a.size() && a[i] < b[j]) ? a[i] : b[j];
    if (i < a.size() && a[i] == bound) ++i;
    if (j < b.size() && b[j] == bound) ++j;
    const bool was_member = bounds.size() % 2 != 0, is_member = (members >> (i % 2 + 2 * (j % 2)) & 1) != 0;
    if (is_member != was_member) bounds.push_back(bound);
  }
  return CodePointSet(std::move(bounds));
}

std::optional<CodePointSet> unicode_property(std::string_view name) {
  const UnicodeProperty* property = find_property(name);
  if (!property) return std::nullopt;
  return read_categories(property->categories) ^ set_of(kPropertyBounds.subspan(property->begin, property->count));
}

MembersSince14 members_since_unicode_14(std::string_view category) {
  const uint32_t categories = find_property(category)->categories;
  const CodePointSet now = read_categories(categories);
  MembersSince14 members{now - set_of(kNewerThan14), now};
  for (const FormerCategory& former : kFormerCategories)
    if ((categories >> former.category & 1) != 0)
      members.maybe |= CodePointSet::range(former.code_point, former.code_point);
  return members;
}

bool is_newer_than_unicode_9(uint32_t code_point) {
  static const CodePointSet set = set_of(kNewerThan9);
  return set.contains(code_point);
}

}  // namespace eyrie
