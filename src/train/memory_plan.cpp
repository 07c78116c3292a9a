#include "train/memory_plan.h"

#include "model/tensors.h"

namespace eyrie {
namespace {

constexpr int64_t kFloat = 4;

// f32 numbers that one row of one depth keeps: x, the state, residual, normed; q, o, with q/k norms q before its; h1,
// y; gate, up, product.
int64_t row_floats(const DecoderConfig& layer) {
  return layer.input_width + 5 * layer.hidden + ((layer.qk_norm ? 3 : 2) * layer.head_dim + 1) * layer.q_heads +
         3 * layer.intermediate;
}

}  // namespace

int64_t parameter_count(const DraftConfig& config) {
  int64_t count = 0;
  DraftTensors<ConstTensor> none;
  for_each_tensor(config, none,
                  [&](const std::string&, const Shape& shape, ConstTensor&) { count += shape.elements(); });
  return count;
}

MemoryPlan plan_memory(const DraftConfig& config, int64_t depths, const BatchSize& batch) {
  const DecoderConfig& layer = config.decoder;
  const auto [tokens, rows, prefix] = batch;
  const int64_t taps_width = config.taps() * config.target_hidden;
  MemoryPlan plan;
  plan.parameters = parameter_count(config);
  plan.weight_bytes = 2 * plan.parameters * kFloat;
  plan.moment_bytes = 2 * plan.parameters * kFloat;
  plan.state_bytes = tokens * (taps_width + config.target_hidden) * kFloat;
  const int64_t keys = prefix + (depths - 1) * rows;
  const int64_t key_floats = (layer.qk_norm ? 5 : 4) * layer.kv_heads * layer.head_dim;  // k, v, their gradients
  plan.step_bytes = kFloat * (depths * rows * (row_floats(layer) + layer.hidden) + keys * key_floats +
                              prefix * (taps_width + layer.input_width + 2 * layer.hidden));
  return plan;
}

}  // namespace eyrie
