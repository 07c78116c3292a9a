#include <fmt/core.h>

#include <limits>

#include "base/error.h"
#include "io/eos_token_ids.h"
#include "model/config.h"
#include "model/config_keys.h"
#include "model/decoder_config.h"

namespace eyrie {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();

}  // namespace

TargetConfig target_config_of(const Json& config, const std::string& place) {
  TargetConfig target;
  target.model_type = config.text("model_type");
  const Family& family = family_of(target.model_type, place);
  target.decoder = read_decoder_config(config, place, family);
  target.layers = config.integer("num_hidden_layers", 1, kMaxLayers);
  target.vocabulary = config.integer("vocab_size", 1, kMaxVocabulary);
  target.tied_embeddings = boolean_or(config, "tie_word_embeddings", false);
  if (config.find("bos_token_id")) target.bos_id = static_cast<int32_t>(config.integer("bos_token_id", 0, kMaxId));
  return target;
}

TargetConfig read_target_config(const std::string& directory) {
  const std::string path = config_path(directory);
  TargetConfig target = target_config_of(read_config_file(path), path);
  target.stop_ids = eos_token_ids(directory);
  return target;
}

std::vector<int64_t> default_tap_ids(int64_t layers) {
  if (!has_default_tap_ids(layers))
    throw Error(ErrorKind::usage, "tap ids",
                fmt::format("a target of {} layers has no default taps; give their ids (--tap-ids)", layers));
  return {1, layers / 2 - 1, layers - 4};
}

}  // namespace eyrie
