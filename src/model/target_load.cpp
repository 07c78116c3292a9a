#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "model/config_keys.h"
#include "model/decoder_config.h"
#include "model/rope_frequencies.h"
#include "model/target.h"
#include "model/weights.h"

namespace eyrie {
namespace {

Json config_if_any(const std::string& directory) {
  const std::string path = config_path(directory);
  return std::filesystem::exists(path) ? read_config_file(path) : Json::object();
}

// Models that also see or hear say it in text_config, if anywhere.
bool ties_embeddings(const Json& config, const std::string& directory) {
  constexpr const char* kKey = "tie_word_embeddings";
  const Json* text = find_object(config, config_path(directory), "text_config");
  return boolean_or(config, kKey, text ? boolean_or(*text, kKey, false) : false);
}

}  // namespace

Target load_target(const std::string& directory) {
  Target target;
  target.config = read_target_config(directory);
  const auto storage = std::make_shared<WeightStorage>(directory);
  if (is_draft_weights(storage->files()))
    throw Error(ErrorKind::file, directory, "holds a draft (its weights have fc.weight); expected a target");
  for_each_tensor(target.config, target.tensors, [&](const std::string& name, const Shape& shape, ConstTensor& tensor) {
    tensor = storage->take(name, shape);
  });
  if (target.config.tied_embeddings) target.tensors.lm_head = target.tensors.embedding;
  target.rope = make_rope_table(target.config.decoder);
  target.fingerprint = fingerprint(storage->files());
  target.directory = directory;
  target.storage = storage;
  return target;
}

TargetHeads heads_of(const Target& target) {
  return {target.tensors.embedding, target.tensors.lm_head, target.tensors.norm, target.storage, target.fingerprint};
}

TargetHeads load_target_heads(const std::string& directory, const std::string& lm_head_key,
                              const std::string& embedding_key) {
  const auto storage = std::make_shared<WeightStorage>(directory);
  TargetHeads heads;
  heads.embedding = storage->take(embedding_key, {-1, -1});
  const auto holds = [&](const std::string& name) { return storage->files().holds(name); };
  const Json config = config_if_any(directory);
  const bool tied = lm_head_key == kLmHeadKey && ties_embeddings(config, directory);
  if (!tied && !holds(lm_head_key))
    throw Error(
        ErrorKind::file, directory + ": " + lm_head_key,
        fmt::format("missing tensor, and config.json does not say tie_word_embeddings; if the embeddings are the "
                    "head: --lm-head-key {}",
                    embedding_key));
  heads.lm_head = tied ? heads.embedding : storage->take(lm_head_key, {heads.embedding.dim(0), -1});
  const std::string norm = "model.norm.weight";
  if (is_supported(text_or(config, "model_type", "")) && holds(norm))
    heads.norm = storage->take(norm, {heads.lm_head.dim(1)});
  heads.fingerprint = fingerprint(storage->files());
  heads.storage = storage;
  return heads;
}

}  // namespace eyrie
