#include "train/train_state.h"

#include <cmath>

#include "ops/adamw.h"
#include "ops/rows.h"

namespace eyrie {

TrainState make_state(Draft draft, Parameters weights) {
  TrainState state{.draft = std::move(draft), .weights = std::move(weights)};
  state.draft.tensors = views(state.draft.config, state.weights);
  return state;
}

TrainState copy_state(const Draft& draft) {
  std::vector<ConstTensor> from;
  for_each_tensor(draft.config, draft.tensors,
                  [&](const std::string&, const Shape&, const ConstTensor& tensor) { from.push_back(tensor); });
  Parameters weights = make_parameters(draft.config);
  size_t next = 0;
  for_each_tensor(draft.config, weights.tensors,
                  [&](const std::string&, const Shape&, const Tensor& to) { copy(from[next++], to); });
  return make_state(draft, std::move(weights));
}

void begin_training(TrainState& state) {
  for (Parameters* one : {&state.gradients, &state.first, &state.second})
    if (!one->memory.tensor().defined()) *one = make_parameters(state.draft.config);
}

double l2_norm(Exec& exec, const DraftConfig& config, const Parameters& of) {
  double sum = 0;
  for_each_tensor(config, of.tensors,
                  [&](const std::string&, const Shape&, const Tensor& tensor) { sum += sum_of_squares(exec, tensor); });
  return std::sqrt(sum);
}

void apply_step(Exec& exec, const OptimizerOptions& options, double gradient_norm, double learning_rate,
                TrainState& state) {
  const bool clips = options.clip > 0 && gradient_norm > options.clip;
  adamw(exec, {.weight = state.weights.memory,
               .gradient = state.gradients.memory,
               .first_moment = state.first.memory,
               .second_moment = state.second.memory,
               .gradient_scale = clips ? options.clip / gradient_norm : 1.0,
               .learning_rate = learning_rate,
               .beta1 = options.beta1,
               .beta2 = options.beta2,
               .epsilon = options.epsilon,
               .weight_decay = options.weight_decay,
               .step = ++state.applied});
  state.norms.add(gradient_norm);
}

std::vector<NamedTensor> named_tensors(const DraftConfig& config, const Parameters& of, const std::string& prefix) {
  std::vector<NamedTensor> list;
  for_each_tensor(config, of.tensors, [&](const std::string& name, const Shape&, const Tensor& tensor) {
    list.push_back({prefix + name, tensor});
  });
  return list;
}

}  // namespace eyrie
