// model/fit.h: whether a draft fits a target.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"

namespace eyrie {

struct Fit {
  std::vector<std::string> mismatches;  // one sentence each: the draft cannot run on the target
  std::vector<std::string> notes;       // it runs, but a new draft for this target would be made otherwise
};
Fit fit(const DraftConfig& draft, const TargetConfig& target);

}  // namespace eyrie
