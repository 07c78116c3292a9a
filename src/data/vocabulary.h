// data/vocabulary.h: the draft vocabulary of spec §6 and what it misses.
#pragma once
#include "data/packing.h"

namespace eyrie {

// Vd where nothing says otherwise, if the target has as many tokens.
inline constexpr int64_t kUsualDraftVocabulary = 32000;

// How often each target token occurs with loss_mask = 1; ids must lie below `vocabulary`. [V]
std::vector<int64_t> count_supervised_tokens(const std::vector<TokenSequence>& sequences, int64_t vocabulary);

// The `size` most frequent ids (ties, and the fill when fewer occur: lowest id first), ascending.
// Errors: Error{usage} when size is not in 1 .. V.
std::vector<int64_t> draft_vocabulary_ids(const std::vector<int64_t>& counts, int64_t size);

// The share of supervised tokens that `ids` (ascending) leaves out. 0 when nothing is supervised.
double out_of_vocabulary_share(const std::vector<int64_t>& counts, const std::vector<int64_t>& ids);

}  // namespace eyrie
