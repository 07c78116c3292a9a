// train/initial_draft.h: the draft a run starts from (spec §2, "New drafts"): matrices uniform ±1/√fan_in, norms one;
// the last norm and the head from the target, rows of the draft vocabulary, unless everything is to be random.
#pragma once
#include <cstdint>
#include <string_view>

#include "model/draft.h"

namespace eyrie {

enum class InitialHead { target, random };
InitialHead find_initial_head(std::string_view name);  // Error{usage} lists them

struct InitialDraft {
  const DraftConfig& config;
  const DraftVocabulary& vocabulary;
  uint64_t seed = 0;
  InitialHead head = InitialHead::target;
  ConstTensor target_lm_head;  // [V, Ht]; read for InitialHead::target when H = Ht
  ConstTensor target_norm;     // [Ht] the target's last norm; undefined: ones
};

// Each tensor depends on the seed and its own name alone.
Parameters initial_draft(const InitialDraft&);

// A vocabulary of spec §6 from ascending target ids; all of them: no d2t, no t2d.
DraftVocabulary make_draft_vocabulary(const std::vector<int64_t>& ids, int64_t vocabulary);

}  // namespace eyrie
