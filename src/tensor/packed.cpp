#include "tensor/packed.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace eyrie {

void expect_packed(std::span<const int32_t> cu_seqlens, int64_t tokens) {
  const bool ends_fit = !cu_seqlens.empty() && cu_seqlens.front() == 0 && cu_seqlens.back() == tokens;
  if (ends_fit && std::is_sorted(cu_seqlens.begin(), cu_seqlens.end())) return;
  constexpr size_t kShown = 16;
  throw Error(ErrorKind::input, "cu_seqlens",
              fmt::format("expected ascending offsets from 0 to {}, found {}", tokens,
                          cu_seqlens.size() > kShown ? fmt::format("{} others", cu_seqlens.size())
                                                     : fmt::format("[{}]", fmt::join(cu_seqlens, ", "))));
}

}  // namespace eyrie
