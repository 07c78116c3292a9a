#include "text/split.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace eyrie {

SplitBehavior split_behavior(std::string_view name) {
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw Error(
      ErrorKind::file, "",
      fmt::format("behavior \"{}\": expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous",
                  name));
}

void SplitParts::add_match(size_t begin, size_t end) {
  if (end_ < begin) parts_.push_back({end_, begin, false});
  parts_.push_back({begin, end, true});
  end_ = end;
}

std::vector<SplitPart> SplitParts::finish(size_t text_bytes) {
  if (end_ < text_bytes) parts_.push_back({end_, text_bytes, false});
  return std::move(parts_);
}

namespace {

// Walks the parts in the given direction and lets `joins(part, previous one matched)` decide which melt into the part
// before.
template <typename Iterator, typename Joins>
std::vector<SplitPart> melt(Iterator begin, Iterator end, Joins joins) {
  std::vector<SplitPart> out;
  bool previous_matched = false;
  for (; begin != end; ++begin) {
    if (!out.empty() && joins(*begin, previous_matched)) {
      out.back().begin = std::min(out.back().begin, begin->begin);
      out.back().end = std::max(out.back().end, begin->end);
    } else {
      out.push_back(*begin);
    }
    previous_matched = begin->matched;
  }
  return out;
}

}  // namespace

std::vector<SplitPart> merge_parts(std::vector<SplitPart> parts, SplitBehavior behavior) {
  const auto lone_match = [](const SplitPart& part, bool previous_matched) {
    return part.matched && !previous_matched;
  };
  const auto same_kind = [](const SplitPart& part, bool previous_matched) { return part.matched == previous_matched; };
  switch (behavior) {
    case SplitBehavior::removed:
      std::erase_if(parts, [](const SplitPart& part) { return part.matched; });
      return parts;
    case SplitBehavior::isolated:
      return parts;
    case SplitBehavior::merged_with_previous:
      return melt(parts.begin(), parts.end(), lone_match);
    case SplitBehavior::merged_with_next: {
      std::vector<SplitPart> merged = melt(parts.rbegin(), parts.rend(), lone_match);
      std::reverse(merged.begin(), merged.end());
      return merged;
    }
    case SplitBehavior::contiguous:
      return melt(parts.begin(), parts.end(), same_kind);
  }
  return parts;
}

}  // namespace eyrie
