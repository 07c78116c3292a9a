#include "model/draft_vocabulary.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

namespace eyrie {
namespace {

Error vocabulary_error(const std::string& directory, const char* tensor, const std::string& message) {
  return {ErrorKind::file, directory + ": " + tensor, message};
}

// The values of d2t or t2d, if the file has it.
std::optional<std::vector<int64_t>> take_map(WeightStorage& storage, const char* name, int64_t expected) {
  auto values = storage.take_integers(draft_tensor_names(name));
  if (values && static_cast<int64_t>(values->size()) != expected)
    throw vocabulary_error(storage.files().directory(), name,
                           fmt::format("expected {} entries, found {}", expected, values->size()));
  return values;
}

std::vector<int64_t> ids_of(const std::vector<int64_t>& d2t) {
  std::vector<int64_t> ids(d2t.size());
  for (size_t i = 0; i < d2t.size(); ++i)
    if (__builtin_add_overflow(static_cast<int64_t>(i), d2t[i], &ids[i])) ids[i] = -1;  // as far from any vocabulary
  return ids;
}

// [V] 1 where the id is listed; empty, and a sentence in `problem`, when they are not different ids of the vocabulary.
std::vector<uint8_t> mark(const std::vector<int64_t>& ids, int64_t vocabulary, std::string& problem) {
  std::vector<uint8_t> marks(static_cast<size_t>(vocabulary), 0);
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool inside = ids[i] >= 0 && ids[i] < vocabulary;
    if (inside && !marks[static_cast<size_t>(ids[i])]++) continue;
    problem = inside ? fmt::format("entry {} gives target id {}, which an entry before it gives too", i, ids[i])
                     : fmt::format("entry {} gives a target id that is not from 0 to {}", i, vocabulary - 1);
    return {};
  }
  return marks;
}

// The id on which the two disagree, or -1.
int64_t difference(const std::vector<uint8_t>& marks, const std::optional<std::vector<int64_t>>& t2d) {
  for (size_t id = 0; t2d && id < marks.size(); ++id)
    if ((marks[id] != 0) != ((*t2d)[id] != 0)) return static_cast<int64_t>(id);
  return -1;
}

// A draft id's logits are those of a row of lm_head; ours go up with the target ids.
FileVocabulary ascending(const std::vector<int64_t>& ids, std::vector<uint8_t> marks) {
  FileVocabulary found;
  found.vocabulary.t2d = std::move(marks);
  std::vector<int64_t> rows(ids.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::ranges::sort(rows, {}, [&](int64_t row) { return ids[static_cast<size_t>(row)]; });
  for (size_t i = 0; i < rows.size(); ++i)
    found.vocabulary.d2t.push_back(ids[static_cast<size_t>(rows[i])] - static_cast<int64_t>(i));
  if (!std::ranges::is_sorted(rows)) found.rows = std::move(rows);
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

FileVocabulary read_draft_vocabulary(WeightStorage& storage, const DraftConfig& config) {
  const std::string& directory = storage.files().directory();
  const auto d2t = take_map(storage, "d2t", config.draft_vocabulary), t2d = take_map(storage, "t2d", config.vocabulary);
  if (config.draft_vocabulary == config.vocabulary) {
    if (!d2t || std::ranges::count(*d2t, 0) == config.draft_vocabulary) return {};
    throw vocabulary_error(directory, "d2t", "expected zeros: the draft vocabulary is the target's");
  }
  if (!d2t)
    throw vocabulary_error(directory, "d2t",
                           fmt::format("missing tensor; the draft vocabulary has {} of the target's {} tokens",
                                       config.draft_vocabulary, config.vocabulary));
  const std::vector<int64_t> ids = ids_of(*d2t);
  std::string problem, as_ids;
  std::vector<uint8_t> marks = mark(ids, config.vocabulary, problem);
  const int64_t differs = problem.empty() ? difference(marks, t2d) : -1;
  if (problem.empty() && differs < 0) return ascending(ids, std::move(marks));
  const std::vector<uint8_t> literal = mark(*d2t, config.vocabulary, as_ids);
  if (as_ids.empty() && difference(literal, t2d) < 0)
    throw vocabulary_error(directory, "d2t", "holds ids, not offsets: expected target id - draft id in each entry");
  if (!problem.empty()) throw vocabulary_error(directory, "d2t", problem);
  const bool listed = marks[static_cast<size_t>(differs)] != 0;
  throw vocabulary_error(directory, "t2d",
                         fmt::format("says {} of target id {}, d2t says {}", !listed, differs, listed));
}

}  // namespace eyrie
