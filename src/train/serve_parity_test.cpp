// Train-serve parity (spec §8, §10): depth k of training's forward over packed rows is chain step k of the draft served
// row by row on its own cache.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "model/draft_reference.h"
#include "speculative/generate.h"
#include "speculative/teacher_forced.h"
#include "speculative/tiny_models_fixture.h"
#include "testing/compare.h"
#include "train/train_state.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

using testing::TinyModels;
using testing::TinyOptions;
using Vector = std::vector<double>;

constexpr int64_t kDepths = 5;

// A packed batch: a sequence in front, so that the text does not start at token 0, then prompt and text; the target's
// states for it.
struct Batch {
  std::vector<int32_t> ids;
  int64_t start = 7, prompt = 0;  // of the text's sequence: its first token, its prompt's tokens
  Buffer taps, last_hidden;
  Supervision supervision;

  std::span<const int32_t> text() const { return std::span(ids).subspan(static_cast<size_t>(start)); }
};

Batch make_batch(Exec& exec, const TinyModels& models, std::span<const int32_t> text, int64_t prompt, int64_t depths) {
  Batch batch;
  batch.prompt = prompt;
  for (int64_t i = 0; i < batch.start; ++i) batch.ids.push_back(static_cast<int32_t>(i % 4));
  batch.ids.insert(batch.ids.end(), text.begin(), text.end());
  const auto tokens = static_cast<int64_t>(batch.ids.size());
  const std::vector<int32_t> offsets = {0, static_cast<int32_t>(batch.start), static_cast<int32_t>(tokens)};
  std::vector<uint8_t> mask(batch.ids.size(), 0);
  std::fill(mask.begin() + batch.start + prompt, mask.end(), 1);
  batch.supervision = supervise(mask, offsets, depths);
  const DraftConfig& config = models.draft.config;
  batch.taps = Buffer(DType::f32, {tokens, config.taps() * config.target_hidden});
  batch.last_hidden = Buffer(DType::f32, {tokens, config.target_hidden});
  HostArrays arrays;
  forward_packed(exec, arrays, models.target, {batch.ids, offsets}, config.tap_ids, batch.taps, batch.last_hidden);
  return batch;
}

// What training should find, from logits and states of the draft served row by row: loss and figures per depth (spec
// §3, in fp64), and the gradient of its head, which is a sum over rows and depths of (q - p) times the normed state.
struct Expected {
  std::vector<double> loss, accept, right, in_vocabulary;  // [K] sums over rows
  Vector d_lm_head;                                        // [Vd, H], with the loss weighted by `scales`
};

Vector softmax(Vector z) {
  const double highest = *std::max_element(z.begin(), z.end());
  double total = 0;
  for (double& value : z) total += value = std::exp(value - highest);
  for (double& value : z) value /= total;
  return z;
}

Expected serve_and_sum(Exec& exec, const TinyModels& models, const Batch& batch, const std::vector<double>& scales) {
  const Draft& draft = models.draft;
  const auto depths = scales.size();
  Expected out{Vector(depths), Vector(depths), Vector(depths), Vector(depths),
               Vector(static_cast<size_t>(draft.tensors.lm_head.elements()))};
  const std::map<std::string, Vector> tensors = {
      {"lm_head.weight", testing::to_doubles(models.target.tensors.lm_head)},  // the teacher's
      {"norm.weight", testing::to_doubles(draft.tensors.norm)}};
  const DraftReference<double> reference{draft.config, 1, {}, tensors};
  auto observe = [&](int64_t row, int64_t depth, const PagedDraft& served) {
    const auto k = static_cast<size_t>(depth);
    const float* hidden = batch.last_hidden.tensor().as<float>() + (batch.start + row + 1 + depth) * 16;
    const Vector teacher = reference.linear(Vector(hidden, hidden + 16), "lm_head");
    const Vector q = softmax(testing::to_doubles(served.logits()));
    const auto highest = std::max_element(teacher.begin(), teacher.end()) - teacher.begin();
    Vector columns;
    for (size_t i = 0; i < q.size(); ++i)
      columns.push_back(teacher[static_cast<size_t>(draft.vocabulary.target_id(static_cast<int64_t>(i)))]);
    const Vector p = softmax(columns), whole = softmax(teacher);
    const auto proposal = std::max_element(q.begin(), q.end()) - q.begin();
    out.accept[k] += whole[static_cast<size_t>(draft.vocabulary.target_id(proposal))];
    out.right[k] += draft.vocabulary.target_id(proposal) == highest;
    if (!draft.vocabulary.t2d.empty() && !draft.vocabulary.t2d[static_cast<size_t>(highest)]) return;
    out.in_vocabulary[k] += 1;
    Vector state = testing::to_doubles(served.state());
    if (!draft.config.norm_output) state = reference.norm(state, "norm");
    for (size_t i = 0; i < q.size(); ++i) {
      out.loss[k] -= p[i] * std::log(q[i]);
      for (size_t h = 0; h < state.size(); ++h)
        out.d_lm_head[i * state.size() + h] += scales[k] * (q[i] - p[i]) * state[h];
    }
  };
  right_depths(
      exec, models.target, draft,
      {.ids = batch.text(), .first_row = batch.prompt - 1, .depths = static_cast<int64_t>(depths), .observe = observe});
  return out;
}

TEST(ServeParity, EveryDepthOfTrainingIsTheServedChain) {
  const std::map<std::string, TinyOptions> cases = {
      {"plain", {}},
      {"draft vocabulary", {.vocabulary = 9, .draft_vocabulary = 5}},
      {"fc norm", {.fc_norm = true}},
      {"norm before fc, norm before residual", {.norm_before_fc = true, .norm_before_residual = true}},
      {"norm output", {.norm_output = true}},
      {"norms on q and k", {.qk_norm = true}},
      {"one tap", {.tap_ids = {1}}},
      {"five taps", {.layers = 6, .tap_ids = {0, 1, 2, 4, 5}, .fc_norm = true}}};
  for (const auto& [name, options] : cases) {
    SCOPED_TRACE(name);
    const TinyModels models = testing::make_tiny_models("parity " + name, options);
    Exec exec;
    HostArrays arrays;
    RandomStream stream(name);
    std::vector<int32_t> text(30);
    for (int32_t& id : text) id = static_cast<int32_t>(stream.below(static_cast<uint64_t>(options.vocabulary)));
    for (const int64_t depths : {int64_t{1}, int64_t{2}, kDepths}) {
      const Batch batch = make_batch(exec, models, text, 6, depths);
      const std::vector<double> scales = depth_scales(0.8, batch.supervision.rows_at_depth);
      const Expected expected = serve_and_sum(exec, models, batch, scales);
      const Parameters gradients = make_parameters(models.draft.config);
      const TttOutcome found =
          ttt_step(exec, arrays, {models.draft, models.target.tensors.lm_head},
                   {batch.ids, batch.taps, batch.last_hidden, batch.supervision}, {.decay = 0.8}, &gradients.tensors);
      for (size_t k = 0; k < scales.size(); ++k) {
        const DepthFigures& figures = found.figures.depths[k];
        EXPECT_NEAR(figures.loss_sum, expected.loss[k], 1e-5 * expected.loss[k]) << "depth " << k;
        EXPECT_NEAR(figures.accept_sum, expected.accept[k], 1e-5 * expected.accept[k]) << "depth " << k;
        EXPECT_EQ(static_cast<double>(figures.right), expected.right[k]) << "depth " << k;
        EXPECT_EQ(static_cast<double>(figures.in_vocabulary), expected.in_vocabulary[k]) << "depth " << k;
      }
      const testing::Comparison head = testing::compare("d_lm_head", gradients.tensors.lm_head, expected.d_lm_head);
      EXPECT_TRUE(head.passed()) << head.text();
    }
  }
}

// Every tensor's gradient is the slope of the loss along a random direction: what depths, prefix and suffix hand on.
TEST(ServeParity, GradientsAreTheSlopeOfTheLoss) {
  const std::map<std::string, TinyOptions> cases = {
      {"plain", {}}, {"norms on q and k", {.qk_norm = true}}, {"two taps", {.tap_ids = {0, 2}, .qk_norm = true}}};
  for (const auto& [name, options] : cases) {
    TinyModels models = testing::make_tiny_models("slope " + name, options);
    Exec exec;
    const std::vector<int32_t> text = {0, 3, 1, 5, 2, 4, 4, 1, 0, 2, 5, 3, 1, 1, 0, 2, 4, 3};
    const Batch batch = make_batch(exec, models, text, 4, kDepths);
    const DraftConfig& config = models.draft.config;
    const TrainState state = copy_state(models.draft);
    const Parameters gradients = make_parameters(config);
    HostArrays arrays;
    const auto loss = [&](const DraftTensors<Tensor>* into) {
      return ttt_step(exec, arrays, {state.draft, models.target.tensors.lm_head},
                      {batch.ids, batch.taps, batch.last_hidden, batch.supervision}, {.decay = 0.8}, into)
          .loss;
    };
    loss(&gradients.tensors);
    const std::vector<NamedTensor> slope = named_tensors(config, gradients);
    size_t next = 0;
    for_each_tensor(
        config, state.weights.tensors, [&](const std::string& parameter, const Shape&, const Tensor& tensor) {
          const std::vector<double> at = testing::to_doubles(tensor), d = testing::to_doubles(slope[next++].tensor);
          RandomStream random(parameter);
          std::vector<double> direction(at.size());
          double expected = 0, length = 0;
          for (size_t j = 0; j < at.size(); ++j) {
            direction[j] = random.below(2) ? 1 : -1;
            expected += direction[j] * d[j], length += d[j] * d[j];
          }
          const auto loss_at = [&](double step) {
            for (size_t j = 0; j < at.size(); ++j)
              tensor.as<float>()[j] = static_cast<float>(at[j] + step * direction[j]);
            return loss(nullptr);
          };
          constexpr double kStep = 2e-3;
          const double found =
              (8 * (loss_at(kStep) - loss_at(-kStep)) - (loss_at(2 * kStep) - loss_at(-2 * kStep))) / 12 / kStep;
          loss_at(0);
          EXPECT_NEAR(found, expected, 2e-3 * std::sqrt(length)) << name << ": " << parameter;
        });
  }
}

// On text the target wrote greedily, training's walked accept length is the served one, for every chain.
TEST(ServeParity, WalkedInTrainingIsServed) {
  AcceptStatistics all;
  for (const std::string name : {"walked 10", "walked 33", "walked 37"}) {
    const TinyModels models = testing::make_tiny_models(name, {.vocabulary = 4, .draft_vocabulary = 4});
    Exec exec;
    HostArrays arrays;
    Generator generator(exec, models.target, &models.draft);
    for (const int32_t first : {0, 1, 2, 3}) {
      const std::vector<int32_t> prompt = {first, 1, 3, 2};
      GenerateOptions options{.max_new_tokens = 60};
      std::vector<int32_t> text = prompt;
      const GenerateResult plain = generator.generate(prompt, options);
      text.insert(text.end(), plain.ids.begin(), plain.ids.end());
      const Batch batch = make_batch(exec, models, text, 4, kDepths);
      const TttOutcome found = ttt_step(exec, arrays, {models.draft, models.target.tensors.lm_head},
                                        {batch.ids, batch.taps, batch.last_hidden, batch.supervision}, {}, nullptr);
      for (options.chain = 1; options.chain <= kDepths; ++options.chain)
        EXPECT_EQ(found.figures.walked[static_cast<size_t>(options.chain) - 1].steps_by_tokens,
                  generator.generate(prompt, options).accepted.steps_by_tokens)
            << name << " chain " << options.chain;
      all.add(found.figures.walked.back());
    }
  }
  EXPECT_GT(all.accept_length(), 1.5);  // drafts were right now and then, and not always
  EXPECT_LT(all.accept_length(), 5);
}

}  // namespace
}  // namespace eyrie
