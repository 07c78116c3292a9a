#include <fmt/core.h>

#include "base/log.h"
#include "model/draft.h"
#include "model/draft_limits.h"
#include "model/draft_vocabulary.h"
#include "model/rope_frequencies.h"
#include "model/weights.h"

namespace eyrie {
bool is_draft_weights(const WeightFiles& files) { return files.find("fc.weight") || files.find("model.fc.weight"); }

bool is_draft(const std::string& directory) {
  return calls_itself_draft(directory) || is_draft_weights(WeightFiles::open(directory));
}

namespace {

// model_type "qwen3" stands over plain layers too: the tensors say which it is.
void settle_norms(const WeightStorage& storage, DecoderConfig& layer) {
  const auto holds = [&](const char* name) { return !storage.find(draft_tensor_names(name)).empty(); };
  layer.qk_norm =
      layer.qk_norm && (holds("midlayer.self_attn.q_norm.weight") || holds("midlayer.self_attn.k_norm.weight"));
}

ConstTensor in_order(const ConstTensor& lm_head, const std::vector<int64_t>& rows, WeightStorage& storage) {
  Buffer sorted(lm_head.dtype, lm_head.shape);
  for (size_t i = 0; i < rows.size(); ++i) copy(lm_head[rows[i]], sorted.tensor()[static_cast<int64_t>(i)]);
  return storage.keep(std::move(sorted));
}

Draft load_tensors(const std::string& directory, const std::shared_ptr<WeightStorage>& storage) {
  Draft draft;
  draft.config = read_draft_config(directory);
  if (!is_draft_weights(storage->files()))
    throw Error(ErrorKind::file, directory, "holds no draft: its weights have no fc.weight");
  settle_norms(*storage, draft.config.decoder);
  for_each_tensor(draft.config, draft.tensors, [&](const std::string& name, const Shape& shape, ConstTensor& tensor) {
    tensor = storage->take(draft_tensor_names(name), shape);
  });
  const FileVocabulary found = read_draft_vocabulary(*storage, draft.config);
  draft.vocabulary = found.vocabulary;
  if (!found.rows.empty()) draft.tensors.lm_head = in_order(draft.tensors.lm_head, found.rows, *storage);
  draft.rope = make_rope_table(draft.config.decoder);
  draft.directory = directory;
  return draft;
}

void take_own_embedding(Draft& draft, WeightStorage& storage) {
  const std::vector<std::string> names = draft_tensor_names("embed_tokens.weight");
  draft.own_embedding = !storage.find(names).empty();
  if (draft.own_embedding)
    draft.embedding = storage.take(names, {draft.config.vocabulary, draft.config.decoder.hidden});
}

void borrow_embedding(Draft& draft, const std::string& directory, const TargetHeads& heads) {
  const Shape expected = {draft.config.vocabulary, draft.config.decoder.hidden};
  draft.embedding = heads.embedding;
  if (!draft.embedding.defined())
    throw Error(ErrorKind::file, directory, "no embed_tokens.weight, and the target gives no embeddings");
  if (draft.embedding.shape != expected)
    throw Error(ErrorKind::file, directory,
                fmt::format("no embed_tokens.weight, and the target's embeddings have shape {}; expected {}",
                            to_string(draft.embedding.shape), to_string(expected)));
}

// Keeps the draft's files and those it borrows from.
struct Kept {
  std::shared_ptr<const WeightStorage> own, target;
};

}  // namespace

Draft load_draft_alone(const std::string& directory) {
  const auto storage = std::make_shared<WeightStorage>(directory);
  Draft draft = load_tensors(directory, storage);
  take_own_embedding(draft, *storage);
  refuse_unread(*storage);
  draft.storage = storage;
  return draft;
}

Draft load_draft(const std::string& directory, const TargetHeads& heads) {
  Draft draft = load_draft_alone(directory);
  if (!draft.own_embedding) borrow_embedding(draft, directory, heads);
  if (draft.config.norm_output) log_info(fmt::format("{}: {}", directory, norm_output_note()));
  const auto kept = std::make_shared<const Kept>(Kept{draft.storage, heads.storage});
  draft.storage = std::shared_ptr<const WeightStorage>(kept, kept->own.get());
  return draft;
}

std::string norm_output_note() {
  return "norm_output: the next depth receives RMS_norm(h2); SpecForge writes this key with another meaning, the norm "
         "before lm_head, which every draft has";
}

}  // namespace eyrie
