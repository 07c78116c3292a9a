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
  const auto holds = [&](const std::string& name) { return storage->find(std::span(&name, 1)) != nullptr; };
  const Json config = config_if_any(directory);
  const bool tied = lm_head_key == kLmHeadKey && boolean_or(config, "tie_word_embeddings", false);
  heads.lm_head = tied ? heads.embedding : storage->take(lm_head_key, {heads.embedding.dim(0), -1});
  const std::string norm = "model.norm.weight";
  if (is_supported(text_or(config, "model_type", "")) && holds(norm))
    heads.norm = storage->take(norm, {heads.lm_head.dim(1)});
  heads.fingerprint = fingerprint(storage->files());
  heads.storage = storage;
  return heads;
}

}  // namespace eyrie
