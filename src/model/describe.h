// model/describe.h: what a model directory holds, for people: a label and a value per line.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "model/draft.h"

namespace eyrie {

using Description = std::vector<std::pair<std::string, std::string>>;
Description describe(const Target& target);
Description describe(const Draft& draft);

}  // namespace eyrie
