#include "model/draft_vocabulary.h"

#include <fmt/core.h>

namespace eyrie {
namespace {

Error vocabulary_error(const std::string& directory, const char* tensor, const std::string& message) {
  return {ErrorKind::file, directory + ": " + tensor, message};
}

// d2t strictly ascending inside 0..V-1, so that t2d says the same.
void check_d2t(const std::string& directory, const DraftVocabulary& vocabulary, int64_t target_vocabulary) {
  int64_t before = -1;
  for (size_t i = 0; i < vocabulary.d2t.size(); ++i) {
    int64_t id = 0;
    const bool beyond = __builtin_add_overflow(static_cast<int64_t>(i), vocabulary.d2t[i], &id);
    if (beyond || id <= before || id >= target_vocabulary)
      throw vocabulary_error(
          directory, "d2t",
          fmt::format("entry {} is {}, so its target id is {}; expected one from {} to {}", i, vocabulary.d2t[i],
                      beyond ? "beyond 64 bits" : std::to_string(id), before + 1, target_vocabulary - 1));
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
  const ConstTensor* found = storage.find(draft_tensor_names(name));
  if (!found) return nullptr;
  try {
    expect_dtype("", *found, dtypes);
    expect_shape("", *found, shape);
  } catch (const Error& error) {
    throw vocabulary_error(storage.files().directory(), name.c_str(), error.what());
  }
  return found;
}

}  // namespace

std::vector<std::string> draft_tensor_names(const std::string& name) {
  constexpr std::string_view kLayer = "midlayer.";
  std::vector<std::string> names = {name};
  if (name.starts_with(kLayer)) names.push_back("layers.0." + name.substr(kLayer.size()));
  for (size_t i = 0, count = names.size(); i < count; ++i) names.push_back("model." + names[i]);
  return names;
}

DraftVocabulary read_draft_vocabulary(const WeightStorage& storage, const DraftConfig& config) {
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

}  // namespace eyrie
