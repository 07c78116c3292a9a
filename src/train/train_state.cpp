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

DraftTensors<ConstTensor> working_views(const DraftConfig& config, const Parameters& weights,
                                        const Parameters& working) {
  std::vector<ConstTensor> rounded;
  for (const NamedTensor& one : named_tensors(config, working)) rounded.push_back(one.tensor);
  DraftTensors<ConstTensor> made = views(config, weights);
  size_t next = 0;
  for_each_tensor(config, made, [&](const std::string& name, const Shape& shape, ConstTensor& tensor) {
    if (is_rounded(name, shape)) tensor = rounded[next];
    ++next;
  });
  return made;
}

void begin_training(Exec& exec, TrainState& state) {
  for (Parameters* one : {&state.gradients, &state.first, &state.second})
    if (!one->memory.tensor().defined()) *one = make_parameters(exec, state.draft.config);
}

void send_state(Exec& exec, DeviceCopies& copies, TrainState& state) {
  if (exec.device == Device::cpu) return;
  const DraftConfig& config = state.draft.config;
  if (exec.activations != DType::f32) state.working = send_parameters(exec, config, state.weights, exec.activations);
  for (Parameters* one : {&state.weights, &state.first, &state.second})
    if (one->memory.tensor().defined()) *one = send_parameters(exec, config, *one);
  const bool rounded = state.working.memory.tensor().defined();
  state.draft.tensors = rounded ? working_views(config, state.weights, state.working) : views(config, state.weights);
  state.draft.embedding = copies.of(state.draft.embedding);
}

TrainState read_back(Exec& exec, const TrainState& state, const ConstTensor& embedding) {
  const DraftConfig& config = state.draft.config;
  TrainState made = make_state(state.draft, read_parameters(exec, config, state.weights));
  made.first = read_parameters(exec, config, state.first), made.second = read_parameters(exec, config, state.second);
  made.draft.embedding = embedding;
  made.applied = state.applied, made.norms = state.norms;
  return made;
}

double l2_norm(Exec& exec, const DraftConfig& config, const Parameters& of) {
  if (exec.device == Device::cuda) return std::sqrt(sum_of_squares(exec, of.memory));
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
               .step = ++state.applied,
               .working = state.working.memory});
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
