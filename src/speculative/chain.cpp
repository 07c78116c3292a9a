#include "speculative/chain.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace eyrie {

int64_t fitting_chain(int64_t wanted, int64_t known, int64_t tokens_left, int64_t positions) {
  const int64_t rows = std::min(tokens_left, positions - (known - 1));
  return std::clamp<int64_t>(rows - 1, 0, wanted);
}

std::span<const int32_t> tokens_taken(std::span<const int32_t> sequence, IndexRange slots) {
  const auto begin = static_cast<size_t>(draft_indices(slots.begin, 0).token);
  const auto count = static_cast<size_t>(slots.count());
  if (begin + count > sequence.size())
    throw Error(ErrorKind::internal, "draft slots",
                fmt::format("slots {}..{} take token {}, the sequence has {} tokens", slots.begin, slots.end - 1,
                            begin + count - 1, sequence.size()));
  return sequence.subspan(begin, count);
}

}  // namespace eyrie
