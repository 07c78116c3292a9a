// speculative/teacher_forced.h: the draft over a known text by the serving path: on its own cache, row by row, each row
// from the taps of real target rows, its chain fed with the text's own tokens. Row t, depth k is row t, depth k of
// training; on the target's own text its right depths give the served accept length of every chain (accept.h).
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "speculative/paged_models.h"

namespace eyrie {

struct KnownText {
  std::span<const int32_t> ids = {};  // [T]
  int64_t first_row = 0;              // the row before the first token the target generated; rows run to T-3
  int64_t depths = 1;                 // K
  int64_t prefill_chunk = 256;        // rows; bitwise as served when it is what serving used
  // Called for every row and depth when set, right or not; else a row's chain ends with its first wrong depth.
  std::function<void(int64_t row, int64_t depth, const PagedDraft& draft)> observe = {};
};

// [rows] how many depths in a row, from depth 0 and at most K, predicted the text's token.
std::vector<int32_t> right_depths(Exec& exec, const Target& target, const Draft& draft, const KnownText& text);

}  // namespace eyrie
