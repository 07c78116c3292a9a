#include <fmt/core.h>

#include <filesystem>

#include "base/log.h"
#include "model/draft.h"
#include "model/rope_frequencies.h"
#include "model/weights.h"

namespace eyrie {
namespace {

// Where other writers put the tensor that we call `name`.
std::vector<std::string> spellings(const std::string& name) {
  constexpr std::string_view kLayer = "midlayer.";
  std::vector<std::string> names = {name};
  if (name.starts_with(kLayer)) names.push_back("layers.0." + name.substr(kLayer.size()));
  for (size_t i = 0, count = names.size(); i < count; ++i) names.push_back("model." + names[i]);
  return names;
}

Error vocabulary_error(const std::string& directory, const char* tensor, const std::string& message) {
  return {ErrorKind::file, directory + ": " + tensor, message};
}

// d2t strictly ascending inside 0..V-1, so that t2d says the same.
void check_d2t(const std::string& directory, const DraftVocabulary& vocabulary, int64_t target_vocabulary) {
  int64_t before = -1;
  for (size_t i = 0; i < vocabulary.d2t.size(); ++i) {
    const int64_t id = vocabulary.target_id(static_cast<int64_t>(i));
    if (id <= before || id >= target_vocabulary)
      throw vocabulary_error(directory, "d2t",
                             fmt::format("entry {} is {}, so its target id is {}; expected one from {} to {}", i,
                                         vocabulary.d2t[i], id, before + 1, target_vocabulary - 1));
    before = id;
  }
}

std::vector<uint8_t> mark(const DraftVocabulary& vocabulary, int64_t target_vocabulary) {
  std::vector<uint8_t> t2d(static_cast<size_t>(target_vocabulary), 0);
  for (size_t i = 0; i < vocabulary.d2t.size(); ++i)
    t2d[static_cast<size_t>(vocabulary.target_id(static_cast<int64_t>(i)))] = 1;
  return t2d;
}

const ConstTensor* find_checked(const WeightStorage& storage, const std::string& name, const Shape& shape,
                                std::initializer_list<DType> dtypes) {
  const ConstTensor* found = storage.find(spellings(name));
  if (!found) return nullptr;
  try {
    expect_dtype("", *found, dtypes);
    expect_shape("", *found, shape);
  } catch (const Error& error) {
    throw vocabulary_error(storage.files().directory(), name.c_str(), error.what());
  }
  return found;
}

DraftVocabulary read_vocabulary(const WeightStorage& storage, const DraftConfig& config) {
  const std::string& directory = storage.files().directory();
  const ConstTensor* d2t = find_checked(storage, "d2t", {config.draft_vocabulary}, {DType::i64});
  const ConstTensor* t2d = find_checked(storage, "t2d", {config.vocabulary}, {DType::boolean, DType::u8});
  DraftVocabulary vocabulary;
  if (d2t) vocabulary.d2t.assign(d2t->as<int64_t>(), d2t->as<int64_t>() + config.draft_vocabulary);
  if (!d2t && config.draft_vocabulary < config.vocabulary)
    throw vocabulary_error(directory, "d2t",
                           fmt::format("missing tensor; the draft vocabulary has {} of the target's {} tokens",
                                       config.draft_vocabulary, config.vocabulary));
  if (!d2t) return vocabulary;
  check_d2t(directory, vocabulary, config.vocabulary);
  vocabulary.t2d = mark(vocabulary, config.vocabulary);
  const auto* marks = t2d ? static_cast<const uint8_t*>(t2d->data) : nullptr;
  for (size_t id = 0; marks && id < vocabulary.t2d.size(); ++id)
    if ((marks[id] != 0) != (vocabulary.t2d[id] != 0))
      throw vocabulary_error(
          directory, "t2d",
          fmt::format("says {} of target id {}, d2t says {}", marks[id] != 0, id, vocabulary.t2d[id] != 0));
  if (config.draft_vocabulary == config.vocabulary) return {};
  return vocabulary;
}

void choose_embedding(Draft& draft, WeightStorage& storage, const TargetHeads& heads) {
  const DraftConfig& config = draft.config;
  const Shape shape = {config.vocabulary, config.decoder.hidden};
  const std::vector<std::string> names = spellings("embed_tokens.weight");
  const std::string& directory = storage.files().directory();
  draft.own_embedding = storage.find(names) != nullptr;
  draft.embedding = draft.own_embedding ? storage.take(names, shape) : heads.embedding;
  if (!draft.embedding.defined())
    throw Error(ErrorKind::file, directory, "no embed_tokens.weight, and the target gives no embeddings");
  if (draft.embedding.shape != shape)
    throw Error(ErrorKind::file, directory,
                fmt::format("no embed_tokens.weight, and the target's embeddings have shape {}; expected {}",
                            to_string(draft.embedding.shape), to_string(shape)));
}

// Keeps the draft's files and, when it borrows them, the target's.
struct Kept {
  std::shared_ptr<const WeightStorage> own, target;
};

}  // namespace

bool is_draft_weights(const WeightFiles& files) { return files.find("fc.weight") || files.find("model.fc.weight"); }

bool is_draft(const std::string& directory) { return is_draft_weights(WeightFiles::open(directory)); }

Draft load_draft(const std::string& directory, const TargetHeads& heads) {
  Draft draft;
  draft.config = read_draft_config(directory);
  const auto storage = std::make_shared<WeightStorage>(directory);
  if (!is_draft_weights(storage->files()))
    throw Error(ErrorKind::file, directory, "holds no draft: its weights have no fc.weight");
  for_each_tensor(draft.config, draft.tensors, [&](const std::string& name, const Shape& shape, ConstTensor& tensor) {
    tensor = storage->take(spellings(name), shape);
  });
  draft.vocabulary = read_vocabulary(*storage, draft.config);
  choose_embedding(draft, *storage, heads);
  if (draft.config.norm_output)
    log_warning(
        fmt::format("{}: norm_output is read as: the next depth receives RMS_norm(h2); SpecForge writes the key "
                    "for the norm before lm_head, which every draft has",
                    directory));
  draft.rope = make_rope_table(draft.config.decoder);
  const auto kept = std::make_shared<const Kept>(Kept{storage, heads.storage});
  draft.storage = std::shared_ptr<const WeightStorage>(kept, storage.get());
  return draft;
}

}  // namespace eyrie
