#include "text/code_point_set.h"

#include <algorithm>

namespace eyrie {
namespace {

// Walks the bounds of both; `is_member(in_left, in_right)` says what the result holds.
template <typename IsMember>
CodePointSet combined(const CodePointSet& left, const CodePointSet& right, IsMember is_member) {
  const std::vector<uint32_t>&a = left.bounds(), &b = right.bounds();
  std::vector<uint32_t> bounds;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const uint32_t bound = j == b.size() || (i < a.size() && a[i] < b[j]) ? a[i] : b[j];
    if (i < a.size() && a[i] == bound) ++i;
    if (j < b.size() && b[j] == bound) ++j;
    const bool was_member = bounds.size() % 2 != 0;
    if (is_member(i % 2 != 0, j % 2 != 0) != was_member) bounds.push_back(bound);
  }
  return CodePointSet(std::move(bounds));
}

}  // namespace

bool CodePointSet::contains(uint32_t code_point) const {
  return (std::upper_bound(bounds_.begin(), bounds_.end(), code_point) - bounds_.begin()) % 2 != 0;
}

CodePointSet CodePointSet::operator|(const CodePointSet& other) const {
  return combined(*this, other, [](bool left, bool right) { return left || right; });
}

CodePointSet CodePointSet::operator&(const CodePointSet& other) const {
  return combined(*this, other, [](bool left, bool right) { return left && right; });
}

CodePointSet CodePointSet::operator-(const CodePointSet& other) const {
  return combined(*this, other, [](bool left, bool right) { return left && !right; });
}

CodePointSet CodePointSet::operator^(const CodePointSet& other) const {
  return combined(*this, other, [](bool left, bool right) { return left != right; });
}

}  // namespace eyrie
