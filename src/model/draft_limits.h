// model/draft_limits.h: a draft is computed whole or refused by name: what files of drafts may say or hold that our
// layer does not compute, and what may stay unread. Errors: Error{file}.
#pragma once
#include <string>

#include "model/config.h"

namespace eyrie {

// What one draft may do otherwise than another, by its key.
struct DraftVariant {
  const char* name;
  bool DraftConfig::*on;
};
inline constexpr DraftVariant kDraftVariants[] = {{"fc_norm", &DraftConfig::fc_norm},
                                                  {"norm_before_fc", &DraftConfig::norm_before_fc},
                                                  {"norm_before_residual", &DraftConfig::norm_before_residual},
                                                  {"norm_output", &DraftConfig::norm_output}};

class WeightStorage;

// Of one object of a config.json: a key that makes another computation of the draft, by any reader that we know.
void refuse_other_computations(const Json& object, const std::string& place);
// A tensor that nothing took and that is not harmless.
void refuse_unread(const WeightStorage& storage);
// Without the tensor of that name a model is the same.
bool is_harmless_unread(const std::string& name);

}  // namespace eyrie
