// model/draft_vocabulary.h: d2t and t2d of a draft file (spec §6), checked: d2t holds offsets to different ids inside
// the target's vocabulary, and t2d marks the same ids. Integers of any type.
#pragma once
#include "model/draft.h"
#include "model/weights.h"

namespace eyrie {

// The names under which writers store the tensor that we call `name`, ours first.
std::vector<std::string> draft_tensor_names(const std::string& name);

struct FileVocabulary {
  DraftVocabulary vocabulary;  // ascending; empty when Vd = V
  std::vector<int64_t> rows;   // [Vd] of lm_head in the file, in the vocabulary's order; empty: they are in it
};
// Error{file} naming the tensor, the entry, expected and found. Where Vd = V the maps are buffers that nobody asks.
FileVocabulary read_draft_vocabulary(WeightStorage& storage, const DraftConfig& config);

}  // namespace eyrie
