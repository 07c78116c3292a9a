// model/draft_vocabulary.h: d2t and t2d of a draft file (spec §6), checked: d2t holds offsets, ascending inside the
// target's vocabulary, and t2d marks the same ids.
#pragma once
#include "model/draft.h"
#include "model/weights.h"

namespace eyrie {

// The names under which writers store the tensor that we call `name`, ours first.
std::vector<std::string> draft_tensor_names(const std::string& name);
// Empty when Vd = V. Error{file} naming the tensor, the entry, expected and found.
DraftVocabulary read_draft_vocabulary(const WeightStorage& storage, const DraftConfig& config);

}  // namespace eyrie
