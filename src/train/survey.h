// train/survey.h: all that a run asks of its data before step 1, from one look at each batch of the first epoch.
#pragma once
#include "train/batch_source.h"

namespace eyrie {

struct BatchSize {
  int64_t tokens = 0, rows = 0, prefix_rows = 0;  // T; R and P of data/supervision.h
};

struct Survey {
  std::string hash;  // of every token and mask, in order
  int64_t sequences = 0, tokens = 0, supervised_tokens = 0;
  std::vector<int64_t> supervised;                               // [V] how often an id has loss_mask = 1
  int64_t longest = 0, longest_batch = 0, longest_sequence = 0;  // tokens of a sequence, and where it stands
  std::vector<BatchSize> batches;
  int64_t rows() const;  // of all batches
};

// Ids must lie below `vocabulary`.
Survey survey(const BatchSource&, int64_t depths, int64_t vocabulary);

}  // namespace eyrie
