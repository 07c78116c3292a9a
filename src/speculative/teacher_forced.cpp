#include "speculative/teacher_forced.h"

#include <algorithm>

#include "speculative/chain.h"

namespace eyrie {

std::vector<int32_t> right_depths(Exec& exec, const Target& target, const Draft& draft, const KnownText& text) {
  constexpr int64_t kPageSize = 16;
  const std::span<const int32_t> ids = text.ids;
  const int64_t tokens = std::ssize(ids);
  PagePool pool(cache_layers(target.config, &draft.config), kPageSize, (tokens + text.depths) / kPageSize + 1);
  PagedSequence pages(pool);
  pages.reserve(tokens + text.depths);
  PagedTarget paged_target(target, &draft.config, {.rows = text.prefill_chunk});
  PagedDraft paged_draft(draft, {.rows = text.prefill_chunk, .logits = 1});
  HostArrays arrays(exec);
  const auto step = [&](std::span<const int32_t> taken, int64_t first_position, int64_t logits) {
    const SequenceRows run{&pages, taken, first_position, logits};
    return make_step_rows(exec, arrays, {&run, 1});
  };
  // The target's next rows, a chunk of them at most, up to `end`.
  IndexRange rows;
  const auto next_chunk = [&](int64_t end) {
    rows = {rows.end, std::min(rows.end + text.prefill_chunk, end)};
    const auto first = static_cast<size_t>(rows.begin), count = static_cast<size_t>(rows.count());
    paged_target.run(exec, step(ids.subspan(first, count), rows.begin, 0));
  };
  const auto extend = [&](IndexRange slots) {
    paged_draft.extend(exec, step(tokens_taken(ids, slots), slots.begin, 1),
                       paged_target.taps().slice(slots.begin - rows.begin, slots.end - rows.begin));
  };
  // Depths of the row that the draft was extended to last.
  const auto count_right = [&](int64_t row) {
    int32_t right = 0;
    bool all_right = true;
    for (int64_t depth = 0; depth < text.depths; ++depth) {
      const DraftIndices at = draft_indices(row, depth);
      if (at.predicted >= tokens || (!all_right && !text.observe)) break;
      if (depth > 0) paged_draft.step(exec, step(ids.subspan(static_cast<size_t>(at.token), 1), at.position, 1));
      all_right = paged_draft.best()[0] == ids[static_cast<size_t>(at.predicted)] && all_right;
      right += all_right;
      if (text.observe) text.observe(row, depth, paged_draft);
    }
    return right;
  };

  while (rows.end <= text.first_row) {
    next_chunk(text.first_row + 1);
    extend(rows);
  }
  std::vector<int32_t> right;
  if (text.first_row < tokens - 2) right.push_back(count_right(text.first_row));
  while (rows.end < tokens - 2) {
    next_chunk(tokens - 2);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      extend({row, row + 1});
      right.push_back(count_right(row));
    }
  }
  return right;
}

}  // namespace eyrie
