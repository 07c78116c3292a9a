// text/unicode_property.h: sets of code points, and the properties of Unicode 16 by the names that Oniguruma's \p{...}
// knows.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace eyrie {

inline constexpr uint32_t kEndOfCodePoints = 0x110000;

// The ascending list of the code points at which membership changes: the first is in, the next one out, and so on; an
// open last range ends at kEndOfCodePoints.
class CodePointSet {
 public:
  CodePointSet() = default;
  explicit CodePointSet(std::vector<uint32_t> bounds) : bounds_(std::move(bounds)) {}
  static CodePointSet range(uint32_t first, uint32_t last) { return CodePointSet({first, last + 1}); }

  const std::vector<uint32_t>& bounds() const { return bounds_; }
  bool empty() const { return bounds_.empty(); }
  bool contains(uint32_t code_point) const;
  bool contains(const CodePointSet& other) const { return (other - *this).empty(); }

  bool operator==(const CodePointSet&) const = default;
  CodePointSet operator|(const CodePointSet& other) const { return combined(other, 0b1110); }
  CodePointSet operator&(const CodePointSet& other) const { return combined(other, 0b1000); }
  CodePointSet operator-(const CodePointSet& other) const { return combined(other, 0b0010); }
  CodePointSet operator^(const CodePointSet& other) const { return combined(other, 0b0110); }
  CodePointSet operator~() const { return range(0, kEndOfCodePoints - 1) - *this; }
  CodePointSet& operator|=(const CodePointSet& other) { return *this = *this | other; }

 private:
  // The bits of `members` say whether what is in neither, in this alone, in the other alone, in both is in the result.
  CodePointSet combined(const CodePointSet& other, unsigned members) const;
  std::vector<uint32_t> bounds_;
};

// Categories, scripts, binary properties, blocks (In_...) and POSIX names, long or short; case, spaces, hyphens and
// underscores do not count. None when Oniguruma has no such name.
std::optional<CodePointSet> unicode_property(std::string_view name);

// The members that a category (L, Lu) has in every version of Unicode from 14 to 16, and in any of them.
struct MembersSince14 {
  CodePointSet surely, maybe;
};
MembersSince14 members_since_unicode_14(std::string_view category);

bool is_newer_than_unicode_9(uint32_t code_point);

}  // namespace eyrie
