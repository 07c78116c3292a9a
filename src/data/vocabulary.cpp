#include "data/vocabulary.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace eyrie {

std::vector<int64_t> count_supervised_tokens(const std::vector<TokenSequence>& sequences, int64_t vocabulary) {
  std::vector<int64_t> counts(static_cast<size_t>(vocabulary), 0);
  for (const TokenSequence& sequence : sequences)
    for (size_t t = 0; t < sequence.input_ids.size(); ++t)
      if (sequence.loss_mask[t]) ++counts[static_cast<size_t>(sequence.input_ids[t])];
  return counts;
}

std::vector<int64_t> draft_vocabulary_ids(const std::vector<int64_t>& counts, int64_t size) {
  const auto vocabulary = static_cast<int64_t>(counts.size());
  if (size < 1 || size > vocabulary)
    throw Error(ErrorKind::usage, "draft vocabulary",
                fmt::format("expected 1 to {} tokens, found {}", vocabulary, size));
  std::vector<int64_t> ids(counts.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int64_t a, int64_t b) {
    return counts[static_cast<size_t>(a)] > counts[static_cast<size_t>(b)];
  });
  ids.resize(static_cast<size_t>(size));
  std::sort(ids.begin(), ids.end());
  return ids;
}

double out_of_vocabulary_share(const std::vector<int64_t>& counts, const std::vector<int64_t>& ids) {
  const auto total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  int64_t inside = 0;
  for (const int64_t id : ids) inside += counts[static_cast<size_t>(id)];
  return total == 0 ? 0 : 1 - static_cast<double>(inside) / static_cast<double>(total);
}

}  // namespace eyrie
