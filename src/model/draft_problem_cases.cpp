#include "model/draft_problem_cases.h"

#include "model/rope_frequencies.h"
#include "ops/embedding.h"

namespace eyrie {
namespace {

constexpr int64_t kVocabulary = 11;

DraftConfig config_of(const DraftVariant& variant) {
  DraftConfig config;
  DecoderConfig& layer = config.decoder;
  layer.hidden = 6, layer.input_width = 12, layer.intermediate = 7;
  layer.q_heads = 4, layer.kv_heads = 2, layer.head_dim = 6;
  layer.norm_eps = 1e-2f;  // large enough that leaving it out shows
  layer.qkv_bias = layer.o_bias = layer.mlp_bias = variant.biases;
  layer.qk_norm = variant.qk_norm;
  layer.max_positions = 64;
  config.target_hidden = 5, config.vocabulary = kVocabulary, config.draft_vocabulary = 4;
  config.tap_ids = {1, 3, 4};
  config.fc_norm = variant.fc_norm, config.norm_before_fc = variant.norm_before_fc;
  config.norm_before_residual = variant.norm_before_residual, config.norm_output = variant.norm_output;
  return config;
}

}  // namespace

DraftProblem::DraftProblem(const std::string& case_name, const DraftVariant& variant)
    : config(config_of(variant)), memory(case_name) {
  const int64_t rows = variant.rows, hidden = config.decoder.hidden;
  draft.config = config;
  for_each_tensor(config, draft.tensors, [&](const std::string& name, const Shape& shape, ConstTensor& tensor) {
    const bool matrix = shape.rank == 2;
    const double deviation = matrix ? 1 / std::sqrt(static_cast<double>(shape[1])) : 1;
    named_[name] = tensor = memory.normal(name, shape, deviation, matrix ? variant.weights : DType::f32);
  });
  draft.embedding = memory.normal("embedding", {kVocabulary, hidden}, 1, variant.weights);
  draft.rope = make_rope_table(config.decoder);
  std::vector<int32_t> ids, places;
  for (int32_t row = 0; row < rows; ++row) ids.push_back(row * 7 % kVocabulary), places.push_back((row * 5 + 3) % 64);
  token_ids = memory.integers("token_ids", ids), positions = memory.integers("positions", places);
  named_["taps"] = taps = memory.normal("taps", {rows, config.taps() * config.target_hidden});
  named_["h"] = h = memory.normal("h", {rows, hidden});
  named_["x"] = x = memory.normal("x", {rows, config.decoder.input_width});
  named_["attention"] = attention =
      memory.normal("attention", {rows, config.decoder.q_heads * config.decoder.head_dim});
  const Tensor e = memory.output("e", {rows, hidden});
  Exec exec;
  embed(exec, {.table = draft.embedding, .ids = token_ids, .y = e});
  named_["e"] = e;
}

std::vector<double> DraftProblem::gradient(
    const std::string& name,
    const std::function<std::complex<double>(const DraftReference<std::complex<double>>&)>& loss) const {
  constexpr double kStep = 1e-30;
  auto at = reference<std::complex<double>>();
  std::vector<double> result;
  for (std::complex<double>& element : at.tensors.at(name)) {
    element += std::complex<double>(0, kStep);
    result.push_back(loss(at).imag() / kStep);
    element = element.real();
  }
  return result;
}

}  // namespace eyrie
