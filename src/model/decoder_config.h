// model/decoder_config.h: what a target's and a draft's config.json say in the same words. Every size is bounded, so
// that no later product of two of them can leave 64 bits.
#pragma once
#include "model/config.h"
#include "model/families.h"

namespace eyrie {

inline constexpr int64_t kMaxWidth = int64_t{1} << 20, kMaxHeads = 1 << 14, kMaxHeadDim = 1 << 12, kMaxLayers = 1 << 12;
inline constexpr int64_t kMaxPositions = 1 << 21, kMaxVocabulary = 1 << 24;

std::string config_path(const std::string& directory);
// Of an object already parsed; the readers of config.h add what stands in other files.
TargetConfig target_config_of(const Json& config, const std::string& place);
DraftConfig draft_config_of(const Json& config, const std::string& place);
// input_width = H.
DecoderConfig read_decoder_config(const Json& config, const std::string& place, const Family& family);

}  // namespace eyrie
