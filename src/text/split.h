// text/split.h: cutting a text at the matches of something, in the five ways that tokenizer.json knows.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace eyrie {

enum class SplitBehavior {
  removed,               // the matches are dropped
  isolated,              // each match is a part
  merged_with_previous,  // a match ends the part before it
  merged_with_next,      // a match opens the part behind it
  contiguous             // neighbouring matches are one part
};

SplitBehavior split_behavior(std::string_view name);  // "Removed", "Isolated", ...; Error{file} for others

// Parts of a text in order and without gaps, matched or not.
struct SplitPart {
  size_t begin, end;
  bool matched;
};

// Collects matches given from left to right and closes the gaps between them.
class SplitParts {
 public:
  void add_match(size_t begin, size_t end);
  std::vector<SplitPart> finish(size_t text_bytes);

 private:
  std::vector<SplitPart> parts_;
  size_t end_ = 0;
};

// The parts that stay, merged as the behavior says. Parts without length may be among them.
std::vector<SplitPart> merge_parts(std::vector<SplitPart> parts, SplitBehavior behavior);

}  // namespace eyrie
