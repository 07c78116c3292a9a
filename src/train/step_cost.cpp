#include "train/step_cost.h"

#include <set>

namespace eyrie {
namespace {

double product(int64_t rows, int64_t in, int64_t out) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
}

double layer_flops(const DecoderConfig& layer, int64_t query_rows, int64_t key_rows) {
  const int64_t q_width = layer.q_heads * layer.head_dim, kv_width = layer.kv_heads * layer.head_dim;
  return product(query_rows, layer.input_width, q_width) + product(key_rows, layer.input_width, 2 * kv_width) +
         product(query_rows, q_width, layer.hidden) + 3 * product(query_rows, layer.hidden, layer.intermediate);
}

double attention_flops(const DecoderConfig& layer, const Supervision& supervision) {
  double keys = 0;  // of all rows and depths
  for (int64_t r = 0; r < supervision.rows(); ++r) {
    const int64_t prefix =
        supervision.row_token[static_cast<size_t>(r)] - supervision.row_start[static_cast<size_t>(r)] + 1;
    keys += static_cast<double>(supervision.depths * prefix + supervision.depths * (supervision.depths - 1) / 2);
  }
  return 4 * keys * static_cast<double>(layer.q_heads * layer.head_dim);
}

// Positions whose teacher any row asks for.
int64_t teacher_positions(const Supervision& supervision) {
  std::set<int32_t> positions;
  for (int64_t r = 0; r < supervision.rows(); ++r)
    for (int32_t k = 0; k <= supervision.row_last_depth[static_cast<size_t>(r)]; ++k)
      positions.insert(supervision.row_token[static_cast<size_t>(r)] + 1 + k);
  return static_cast<int64_t>(positions.size());
}

}  // namespace

WorkShares step_flops(const DraftConfig& config, const Supervision& supervision) {
  const int64_t rows = supervision.rows(), prefix = static_cast<int64_t>(supervision.prefix_token.size());
  WorkShares flops;
  flops[Work::fc] = 2 * product(prefix, config.taps() * config.target_hidden, config.decoder.hidden);
  flops[Work::layer] = 3 * (layer_flops(config.decoder, rows, prefix) +
                            static_cast<double>(supervision.depths - 1) * layer_flops(config.decoder, rows, rows));
  flops[Work::attention] = 3.5 * attention_flops(config.decoder, supervision);
  flops[Work::loss] = product(teacher_positions(supervision), config.target_hidden, config.vocabulary);
  for (const int64_t supervised : supervision.rows_at_depth)
    flops[Work::loss] += 3 * product(supervised, config.decoder.hidden, config.draft_vocabulary);
  return flops;
}

double target_flops(const TargetConfig& config, std::span<const int32_t> cu_seqlens) {
  const DecoderConfig& layer = config.decoder;
  double keys = 0;
  for (size_t i = 0; i + 1 < cu_seqlens.size(); ++i) {
    const auto length = static_cast<double>(cu_seqlens[i + 1] - cu_seqlens[i]);
    keys += length * (length + 1) / 2;
  }
  const int64_t tokens = cu_seqlens.back();
  return static_cast<double>(config.layers) *
         (layer_flops(layer, tokens, tokens) + 4 * keys * static_cast<double>(layer.q_heads * layer.head_dim));
}

}  // namespace eyrie
