#include <fmt/core.h>

#include "model/rope_frequencies.h"
#include "model/target.h"
#include "model/weights.h"

namespace eyrie {

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
  return {target.tensors.embedding, target.tensors.lm_head, target.storage};
}

TargetHeads load_target_heads(const std::string& directory, const std::string& lm_head_key,
                              const std::string& embedding_key) {
  const auto storage = std::make_shared<WeightStorage>(directory);
  TargetHeads heads;
  heads.embedding = storage->take(embedding_key, {-1, -1});
  heads.lm_head = storage->take(lm_head_key, {heads.embedding.dim(0), -1});
  heads.storage = storage;
  return heads;
}

}  // namespace eyrie
