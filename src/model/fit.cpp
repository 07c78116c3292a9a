#include "model/fit.h"

#include <fmt/core.h>

#include "model/rope_config.h"

namespace eyrie {
namespace {

std::vector<std::string> mismatches(const DraftConfig& draft, const TargetConfig& target) {
  std::vector<std::string> list;
  if (draft.target_hidden != target.decoder.hidden)
    list.push_back(fmt::format("the draft reads taps of a target with hidden size {}, this target has {}",
                               draft.target_hidden, target.decoder.hidden));
  if (draft.vocabulary != target.vocabulary)
    list.push_back(fmt::format("the draft's target vocabulary has {} tokens, this target's has {}", draft.vocabulary,
                               target.vocabulary));
  for (const int64_t id : draft.tap_ids)
    if (id < 0 || id >= target.layers)
      list.push_back(fmt::format("the draft taps layer {}, this target has layers 0 to {}", id, target.layers - 1));
  if (draft.tap_ids.empty() && !has_default_tap_ids(target.layers))
    list.push_back(fmt::format("the draft names no tap ids, and a target of {} layers has no default ones; give them",
                               target.layers));
  return list;
}

}  // namespace

Fit fit(const DraftConfig& draft, const TargetConfig& target) {
  Fit result{mismatches(draft, target), {}};
  const DecoderConfig &ours = draft.decoder, &theirs = target.decoder;
  if (ours.rope != theirs.rope)
    result.notes.push_back(
        fmt::format("RoPE differs: the draft has {}, the target {}", to_string(ours.rope), to_string(theirs.rope)));
  if (ours.max_positions < theirs.max_positions)
    result.notes.push_back(fmt::format("the draft knows {} positions, the target {}: nothing is drafted beyond them",
                                       ours.max_positions, theirs.max_positions));
  return result;
}

}  // namespace eyrie
