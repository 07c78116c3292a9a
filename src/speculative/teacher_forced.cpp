#include "speculative/teacher_forced.h"

#include <algorithm>

#include "ops/linear.h"
#include "speculative/chain.h"

namespace eyrie {
namespace {

constexpr int64_t kPageSize = 16;

// Depths of the row that the draft was extended to last.
int32_t count_right(CachedDraft& draft, const KnownText& text, int64_t row) {
  const auto last = static_cast<int64_t>(text.ids.size()) - 1;
  int32_t right = 0;
  bool all_right = true;
  for (int64_t depth = 0; depth < text.depths; ++depth) {
    const DraftIndices at = draft_indices(row, depth);
    if (at.predicted > last || (!all_right && !text.observe)) break;
    if (depth > 0) draft.step(text.ids[static_cast<size_t>(at.token)], at.position);
    all_right = draft.best() == text.ids[static_cast<size_t>(at.predicted)] && all_right;
    right += all_right;
    if (text.observe) text.observe(row, depth, draft);
  }
  return right;
}

}  // namespace

std::vector<int32_t> right_depths(Exec& exec, const Target& target, const Draft& draft, const KnownText& text) {
  const auto tokens = static_cast<int64_t>(text.ids.size());
  const int64_t max_rows = text.prefill_chunk;
  PagePool pool(cache_layers(target.config, &draft.config), kPageSize, (tokens + text.depths) / kPageSize + 1);
  PagedSequence sequence(pool);
  sequence.reserve(tokens + text.depths);
  CachedTarget cached_target(exec, target, sequence, draft.config.tap_ids, max_rows, 1);
  CachedDraft cached_draft(exec, draft, sequence, max_rows);
  auto run_target = [&](IndexRange rows) {
    cached_target.run(text.ids.subspan(static_cast<size_t>(rows.begin), static_cast<size_t>(rows.count())), rows.begin);
  };

  for (const IndexRange& rows : prefill_chunks(text.first_row + 1, text.prefill_chunk)) {
    run_target(rows);
    cached_draft.extend(cached_target.taps(), tokens_taken(text.ids, rows), rows.begin);
  }
  std::vector<int32_t> right;
  auto walk = [&](IndexRange rows) {
    run_target(rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const IndexRange slot{row, row + 1};
      cached_draft.extend(cached_target.taps().slice(row - rows.begin, row + 1 - rows.begin),
                          tokens_taken(text.ids, slot), row);
      right.push_back(count_right(cached_draft, text, row));
    }
  };
  if (text.first_row < tokens - 2) right.push_back(count_right(cached_draft, text, text.first_row));
  for (int64_t begin = text.first_row + 1; begin < tokens - 2; begin += max_rows)
    walk({begin, std::min(begin + max_rows, tokens - 2)});
  return right;
}

}  // namespace eyrie
