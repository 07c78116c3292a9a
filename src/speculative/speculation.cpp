#include "speculative/speculation.h"

namespace eyrie {

void propose(Speculation& speculation, Sequences sequences) {
  PagedDraft* draft = speculation.paged_draft ? &*speculation.paged_draft : nullptr;
  for (int64_t step = 0;; ++step) {
    // Each chain that is long enough gets a draft from the row before; a draft that is not the last of its chain takes
    // a slot, whose row predicts the next.
    speculation.runs.clear();
    for (Sequence* sequence : sequences) {
      if (step >= sequence->cycle.chain) continue;
      sequence->tokens.push_back(draft->best()[static_cast<size_t>(sequence->draft_row)]);
      const int64_t slot = sequence->cycle.rows.begin + step;
      if (slot == sequence->cycle.chain_slots().end) continue;
      speculation.runs.push_back({.pages = &sequence->pages,
                                  .tokens = tokens_taken(sequence->tokens, {slot, slot + 1}),
                                  .first_position = slot,
                                  .logits = 1,
                                  .first_source = sequence->draft_row});
      sequence->draft_row = std::ssize(speculation.runs) - 1;
    }
    if (speculation.runs.empty()) return;
    draft->step(speculation.exec, speculation.step_rows());
  }
}

void verify(Speculation& speculation, Sequences sequences) {
  speculation.runs.clear();
  int64_t rows = 0;
  for (Sequence* sequence : sequences) {
    const auto first = static_cast<size_t>(sequence->cycle.rows.begin);
    const auto count = static_cast<size_t>(sequence->cycle.rows.count());
    speculation.runs.push_back({.pages = &sequence->pages,
                                .tokens = std::span(sequence->tokens).subspan(first, count),
                                .first_position = sequence->cycle.rows.begin,
                                .logits = sequence->logit_rows()});
    sequence->target_row = rows;
    rows += sequence->cycle.rows.count();
  }
  speculation.paged_target.run(speculation.exec, speculation.step_rows());
}

void keep(Speculation& speculation, Sequences sequences) {
  int64_t row = 0;
  for (Sequence* sequence : sequences) {
    const int64_t end = row + sequence->logit_rows();
    sequence->keep(speculation.paged_target.logits().slice(row, end), speculation.target.directory);
    row = end;
  }
}

void extend(Speculation& speculation, Sequences sequences) {
  speculation.runs.clear();
  const auto add = [&](const Sequence& sequence, IndexRange slots, int64_t logits) {
    if (slots.count() == 0) return;
    speculation.runs.push_back({.pages = &sequence.pages,
                                .tokens = tokens_taken(sequence.tokens, slots),
                                .first_position = slots.begin,
                                .logits = logits,
                                .first_source = sequence.target_row + slots.begin - sequence.cycle.rows.begin});
  };
  // Rows that predict come last: the last slot of each sequence that is through its prompt.
  int64_t predicting = 0;
  for (const bool last : {false, true})
    for (Sequence* sequence : sequences) {
      if (!sequence->drafted) continue;
      const IndexRange slots = sequence->extended_slots();
      const int64_t keys_end = slots.end - !sequence->in_prompt();
      add(*sequence, last ? IndexRange{keys_end, slots.end} : IndexRange{slots.begin, keys_end}, last);
      if (last && !sequence->in_prompt()) sequence->draft_row = predicting++;
    }
  if (!speculation.runs.empty())
    speculation.paged_draft->extend(speculation.exec, speculation.step_rows(), speculation.paged_target.taps());
}

}  // namespace eyrie
