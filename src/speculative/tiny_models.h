// speculative/tiny_models.h: for tests: a target and a draft of random weights, a few kilobytes, seeded by name. With a
// handful of tokens in the vocabulary the draft is right now and then.
#pragma once
#include <cmath>
#include <deque>
#include <string>
#include <string_view>

#include "base/random.h"
#include "model/draft.h"

namespace eyrie::testing {

struct TinyOptions {
  int64_t vocabulary = 6, draft_vocabulary = 6;
  int64_t layers = 3;
  std::vector<int64_t> tap_ids = {0, 1, 2};
  int64_t max_positions = 256, draft_max_positions = 256;
  bool fc_norm = false, norm_before_fc = false, norm_before_residual = false, norm_output = false;
};

struct TinyModels {
  std::deque<Buffer> memory;
  Target target;
  Draft draft;
};

inline RopeTable tiny_rope(const DecoderConfig& config) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < config.head_dim / 2; ++i)
    frequencies.push_back(
        std::pow(config.rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim)));
  return {frequencies, 1, config.max_positions};
}

// Norms near one, everything else normal with variance 1/fan_in.
inline ConstTensor random_weight(TinyModels& models, RandomStream& stream, const std::string& name,
                                 const Shape& shape) {
  const Tensor tensor = models.memory.emplace_back(DType::f32, shape);
  const bool norm = name.find("norm") != std::string::npos, embedding = name.find("embed") != std::string::npos;
  const double deviation = norm ? 0.2 : embedding ? 1 : 1 / std::sqrt(static_cast<double>(shape[shape.rank - 1]));
  for (int64_t i = 0; i < tensor.elements(); ++i)
    tensor.as<float>()[i] = static_cast<float>((norm ? 1 : 0) + deviation * stream.normal());
  return tensor;
}

inline DecoderConfig tiny_decoder(int64_t hidden, int64_t input_width, int64_t positions) {
  DecoderConfig config;
  config.hidden = hidden, config.input_width = input_width, config.intermediate = 24;
  config.q_heads = 4, config.kv_heads = 2, config.head_dim = 8;
  config.max_positions = positions;
  return config;
}

inline void fill_draft_vocabulary(DraftVocabulary& vocabulary, int64_t draft_size, int64_t size) {
  if (draft_size == size) return;
  vocabulary.t2d.assign(static_cast<size_t>(size), 0);
  for (int64_t i = 0; i < draft_size; ++i) {  // spread over the whole vocabulary
    const int64_t target_id = i * size / draft_size;
    vocabulary.d2t.push_back(target_id - i);
    vocabulary.t2d[static_cast<size_t>(target_id)] = 1;
  }
}

inline TinyModels make_tiny_models(std::string_view name, const TinyOptions& options = {}) {
  RandomStream stream(name);
  TinyModels models;
  auto fill = [&](const std::string& tensor, const Shape& shape, ConstTensor& out) {
    out = random_weight(models, stream, tensor, shape);
  };
  Target& target = models.target;
  target.config.decoder = tiny_decoder(16, 16, options.max_positions);
  target.config.layers = options.layers, target.config.vocabulary = options.vocabulary;
  for_each_tensor(target.config, target.tensors, fill);
  target.rope = tiny_rope(target.config.decoder);

  Draft& draft = models.draft;
  DraftConfig& config = draft.config;
  config.decoder = tiny_decoder(12, 24, options.draft_max_positions);
  config.target_hidden = 16, config.vocabulary = options.vocabulary;
  config.draft_vocabulary = options.draft_vocabulary, config.tap_ids = options.tap_ids;
  config.fc_norm = options.fc_norm, config.norm_before_fc = options.norm_before_fc;
  config.norm_before_residual = options.norm_before_residual, config.norm_output = options.norm_output;
  for_each_tensor(config, draft.tensors, fill);
  fill("embed_tokens", Shape{options.vocabulary, 12}, draft.embedding);
  draft.own_embedding = true;
  draft.rope = tiny_rope(config.decoder);
  fill_draft_vocabulary(draft.vocabulary, options.draft_vocabulary, options.vocabulary);
  return models;
}

}  // namespace eyrie::testing
