// speculative/tiny_models_fixture.h: for tests: a target and a draft of random weights, a few kilobytes, seeded by
// name. With a handful of tokens in the vocabulary the draft is right now and then.
#pragma once
#include <string>

#include "model/random_model.h"

namespace eyrie::testing {

struct TinyOptions {
  int64_t vocabulary = 6, draft_vocabulary = 6;
  int64_t layers = 3;
  std::vector<int64_t> tap_ids = {0, 1, 2};
  int64_t max_positions = 256, draft_max_positions = 256;
  bool fc_norm = false, norm_before_fc = false, norm_before_residual = false, norm_output = false;
  bool qk_norm = false;  // of the draft
};

struct TinyModels {
  Target target;
  Draft draft;
};

inline DecoderConfig tiny_decoder(int64_t hidden, int64_t input_width, int64_t positions) {
  DecoderConfig config;
  config.hidden = hidden, config.input_width = input_width, config.intermediate = 24;
  config.q_heads = 4, config.kv_heads = 2, config.head_dim = 8;
  config.max_positions = positions;
  return config;
}

inline TinyModels make_tiny_models(const std::string& name, const TinyOptions& options = {}) {
  TargetConfig target;
  target.decoder = tiny_decoder(16, 16, options.max_positions);
  target.layers = options.layers, target.vocabulary = options.vocabulary;

  DraftConfig draft;
  draft.decoder = tiny_decoder(12, 24, options.draft_max_positions);
  draft.target_hidden = 16, draft.vocabulary = options.vocabulary;
  draft.draft_vocabulary = options.draft_vocabulary, draft.tap_ids = options.tap_ids;
  draft.decoder.qk_norm = options.qk_norm;
  draft.fc_norm = options.fc_norm, draft.norm_before_fc = options.norm_before_fc;
  draft.norm_before_residual = options.norm_before_residual, draft.norm_output = options.norm_output;

  TinyModels models{random_target(name + " target", target, DType::f32), {}};
  models.draft = random_draft(name + " draft", draft, heads_of(models.target), DType::f32);
  return models;
}

}  // namespace eyrie::testing
