#include <cmath>
#include <deque>

#include "base/random.h"
#include "model/random_model.h"
#include "model/rope_frequencies.h"
#include "ops/parallel.h"

namespace eyrie {
namespace {

struct Range {
  float center, radius;  // of a uniform draw
};

Range range_of(const std::string& name, const Shape& shape) {
  constexpr double kRadiusOfUnitVariance = 1.7320508075688772;
  if (shape.rank == 1) return name.ends_with(".bias") ? Range{0, 0.2f} : Range{1, 0.2f};
  const double variance = name.ends_with("embed_tokens.weight") ? 1 : 1 / static_cast<double>(shape[1]);
  return {0, static_cast<float>(kRadiusOfUnitVariance * std::sqrt(variance))};
}

template <typename T>
void fill(Exec& exec, T* values, int64_t count, uint64_t key, Range range) {
  constexpr int64_t kWords = 4;
  for_each_range(exec, count, kWords, 16 * count, [&](int64_t first, int64_t end) {
    for (int64_t block = first / kWords; block * kWords < end; ++block) {
      const auto words = philox(key, static_cast<uint64_t>(block));
      for (int64_t i = block * kWords; i < std::min(end, (block + 1) * kWords); ++i) {
        const float symmetric = static_cast<float>(words[static_cast<size_t>(i % kWords)]) * 0x1p-31f - 1;
        const float value = range.center + range.radius * symmetric;
        if constexpr (std::is_same_v<T, bf16>)
          values[i] = to_bf16(value);
        else
          values[i] = value;
      }
    }
  });
}

// Keeps every tensor that it makes.
struct RandomWeights {
  uint64_t seed;
  DType matrix_dtype;
  std::shared_ptr<const WeightStorage> borrowed;
  std::deque<Buffer> memory;

  ConstTensor make(Exec& exec, const std::string& name, const Shape& shape) {
    const Tensor made = memory.emplace_back(shape.rank == 1 ? DType::f32 : matrix_dtype, shape);
    const uint64_t key = seed ^ hash_name(name);
    if (made.dtype == DType::bf16)
      fill(exec, made.as<bf16>(), made.elements(), key, range_of(name, shape));
    else
      fill(exec, made.as<float>(), made.elements(), key, range_of(name, shape));
    return made;
  }
  auto visitor(Exec& exec) {
    return [this, &exec](const std::string& name, const Shape& shape, ConstTensor& tensor) {
      tensor = make(exec, name, shape);
    };
  }
};

// A model's storage that keeps the weights alive; there are no files behind it.
std::shared_ptr<const WeightStorage> keep(std::shared_ptr<RandomWeights> weights) {
  return {std::move(weights), nullptr};
}

DraftVocabulary spread_vocabulary(int64_t draft_vocabulary, int64_t vocabulary) {
  DraftVocabulary made;
  if (draft_vocabulary == vocabulary) return made;
  made.t2d.assign(static_cast<size_t>(vocabulary), 0);
  for (int64_t i = 0; i < draft_vocabulary; ++i) {
    const int64_t target_id = i * vocabulary / draft_vocabulary;
    made.d2t.push_back(target_id - i);
    made.t2d[static_cast<size_t>(target_id)] = 1;
  }
  return made;
}

}  // namespace

Target random_target(std::string_view seed, const TargetConfig& config, DType dtype) {
  const auto weights = std::make_shared<RandomWeights>(RandomWeights{hash_name(seed), dtype, {}, {}});
  Exec exec;
  Target target;
  target.config = config;
  for_each_tensor(target.config, target.tensors, weights->visitor(exec));
  if (config.tied_embeddings) target.tensors.lm_head = target.tensors.embedding;
  target.rope = make_rope_table(config.decoder);
  target.fingerprint = seed;
  target.storage = keep(weights);
  return target;
}

Draft random_draft(std::string_view seed, const DraftConfig& config, const TargetHeads& heads, DType dtype) {
  const auto weights = std::make_shared<RandomWeights>(RandomWeights{hash_name(seed), dtype, heads.storage, {}});
  Exec exec;
  Draft draft;
  draft.config = config;
  for_each_tensor(draft.config, draft.tensors, weights->visitor(exec));
  draft.own_embedding = config.decoder.hidden != config.target_hidden;
  draft.embedding = draft.own_embedding
                        ? weights->make(exec, "embed_tokens.weight", {config.vocabulary, config.decoder.hidden})
                        : heads.embedding;
  draft.vocabulary = spread_vocabulary(config.draft_vocabulary, config.vocabulary);
  draft.rope = make_rope_table(config.decoder);
  draft.storage = keep(weights);
  return draft;
}

}  // namespace eyrie
