// All of a draft's trained tensors at once: their layout, norm and update.
#include "train/train_state.h"

#include <gtest/gtest.h>

#include <cmath>

#include "testing/compare.h"

namespace eyrie {
namespace {

DraftConfig tiny() {
  DraftConfig config;
  DecoderConfig& layer = config.decoder;
  layer.hidden = 4, layer.input_width = 8, layer.intermediate = 6;
  layer.q_heads = 2, layer.kv_heads = 1, layer.head_dim = 2;
  config.target_hidden = 4, config.vocabulary = 9, config.draft_vocabulary = 5;
  return config;
}

Draft draft_of(const DraftConfig& config) {
  Draft draft;
  draft.config = config;
  return draft;
}

void fill(const DraftConfig& config, const Parameters& parameters, float value) {
  for_each_tensor(config, parameters.tensors, [&](const std::string&, const Shape& shape, const Tensor& tensor) {
    std::fill_n(tensor.as<float>(), shape.elements(), value);
  });
}

TEST(Parameters, LieInTheListsOrderApartAndAligned) {
  const DraftConfig config = tiny();
  const Parameters parameters = make_parameters(config);
  const auto* begin = static_cast<const unsigned char*>(parameters.memory.tensor().data);
  int64_t end = 0;
  for (const NamedTensor& one : named_tensors(config, parameters)) {
    const int64_t at = static_cast<const unsigned char*>(one.tensor.data) - begin;
    EXPECT_EQ(at % 256, 0) << one.name;
    EXPECT_GE(at, end) << one.name;
    end = at + one.tensor.bytes();
  }
  EXPECT_LE(end, parameters.memory.tensor().bytes());
}

TEST(TrainState, IsClippedByTheNormOfAllTensors) {
  const DraftConfig config = tiny();
  TrainState state = make_state(draft_of(config), make_parameters(config));
  Exec exec;
  begin_training(exec, state);
  fill(config, state.gradients, 2.0f);
  int64_t elements = 0;
  for (const NamedTensor& one : named_tensors(config, state.gradients)) elements += one.tensor.elements();
  const double norm = l2_norm(exec, config, state.gradients);
  EXPECT_NEAR(norm, 2 * std::sqrt(static_cast<double>(elements)), 1e-9);
  apply_step(exec, {.clip = 0.5}, norm, 0.01, state);
  // Adam's first step is the sign of the gradient; the moments show what was clipped.
  const double clipped = 0.5 / std::sqrt(static_cast<double>(elements));
  EXPECT_NEAR(state.first.tensors.fc.as<float>()[0], 0.1 * clipped, 1e-7);
  EXPECT_NEAR(state.draft.tensors.lm_head.as<float>()[3], -0.01, 1e-6) << "the draft reads the weights";
  EXPECT_EQ(state.applied, 1);
  EXPECT_EQ(state.norms.values().size(), 1u);
  double gaps = 0;
  for (const Parameters* one : {&state.weights, &state.first, &state.second}) {
    const Parameters inside = make_parameters(config);
    fill(config, inside, 1.0f);
    const float *x = one->memory.tensor().as<float>(), *in = inside.memory.tensor().as<float>();
    for (int64_t i = 0; i < one->memory.tensor().elements(); ++i) gaps += in[i] == 0 ? std::abs(x[i]) : 0;
  }
  EXPECT_EQ(gaps, 0) << "what lies between tensors stays zero";
}

TEST(TrainState, WhatAResumedRunBroughtIsKept) {
  const DraftConfig config = tiny();
  TrainState state = make_state(draft_of(config), make_parameters(config));
  state.second = make_parameters(config);
  fill(config, state.second, 3.0f);
  Exec exec;
  begin_training(exec, state);
  EXPECT_EQ(state.second.tensors.norm.as<float>()[2], 3);
  EXPECT_EQ(state.first.tensors.norm.as<float>()[2], 0);
}

}  // namespace
}  // namespace eyrie
