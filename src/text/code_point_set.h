// text/code_point_set.h: sets of code points. A set is the ascending list of the code points at which membership
// changes: the first is in, the next one out, and so on; an open last range ends at kEndOfCodePoints.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace eyrie {

inline constexpr uint32_t kEndOfCodePoints = 0x110000;

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
  CodePointSet operator|(const CodePointSet& other) const;
  CodePointSet operator&(const CodePointSet& other) const;
  CodePointSet operator-(const CodePointSet& other) const;
  CodePointSet operator^(const CodePointSet& other) const;
  CodePointSet operator~() const { return range(0, kEndOfCodePoints - 1) - *this; }
  CodePointSet& operator|=(const CodePointSet& other) { return *this = *this | other; }

 private:
  std::vector<uint32_t> bounds_;
};

}  // namespace eyrie
