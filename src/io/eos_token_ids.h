// io/eos_token_ids.h: the eos_token_id of a model directory: what its config files say ends a text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace eyrie {

// generation_config.json's, then those that config.json adds; a number or a list each. Empty where neither names one.
std::vector<int32_t> eos_token_ids(const std::string& model_directory);

}  // namespace eyrie
