#include "train/initial_draft.h"

#include <fmt/core.h>

#include <cmath>

#include "base/random.h"
#include "ops/parallel.h"

namespace eyrie {
namespace {

void fill_ones(const Tensor& tensor) {
  float* x = tensor.as<float>();
  for (int64_t i = 0; i < tensor.elements(); ++i) x[i] = 1;
}

void fill_uniform(Exec& exec, const std::string& name, uint64_t seed, const Tensor& tensor) {
  const double bound = 1 / std::sqrt(static_cast<double>(tensor.dim(-1)));
  const uint64_t key = hash_name(name) ^ philox(seed, 0)[0];
  float* x = tensor.as<float>();
  for_each_range(exec, tensor.elements(), 1, 64 * tensor.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      x[i] = static_cast<float>(bound * (2 * philox_uniform(key, static_cast<uint64_t>(i)) - 1));
  });
}

void copy_head(const InitialDraft& initial, const DraftTensors<Tensor>& draft) {
  for (int64_t i = 0; i < initial.config.draft_vocabulary; ++i)
    copy(initial.target_lm_head[initial.vocabulary.target_id(i)], draft.lm_head[i]);
  if (initial.target_norm.defined()) copy(initial.target_norm, draft.norm);
}

}  // namespace

InitialHead find_initial_head(std::string_view name) {
  if (name == "target") return InitialHead::target;
  if (name == "random") return InitialHead::random;
  throw Error(ErrorKind::usage, "init", fmt::format("expected target or random, found {}", name));
}

Parameters initial_draft(const InitialDraft& initial) {
  Parameters draft = make_parameters(initial.config);
  Exec exec;
  for_each_tensor(initial.config, draft.tensors,
                  [&](const std::string& name, const Shape& shape, const Tensor& tensor) {
                    if (shape.rank == 2) return fill_uniform(exec, name, initial.seed, tensor);
                    if (!name.ends_with(".bias")) fill_ones(tensor);
                  });
  if (initial.head == InitialHead::target && initial.config.decoder.hidden == initial.config.target_hidden)
    copy_head(initial, draft.tensors);
  return draft;
}

DraftVocabulary make_draft_vocabulary(const std::vector<int64_t>& ids, int64_t vocabulary) {
  DraftVocabulary made;
  if (static_cast<int64_t>(ids.size()) == vocabulary) return made;
  made.t2d.assign(static_cast<size_t>(vocabulary), 0);
  for (size_t i = 0; i < ids.size(); ++i) {
    made.d2t.push_back(ids[i] - static_cast<int64_t>(i));
    made.t2d[static_cast<size_t>(ids[i])] = 1;
  }
  return made;
}

}  // namespace eyrie
