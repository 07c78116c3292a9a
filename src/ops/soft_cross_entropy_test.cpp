#include "ops/soft_cross_entropy.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "ops/soft_cross_entropy_reference.h"
#include "testing/compare.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

using testing::CaseMemory;
using testing::compare;
using testing::compare_bits;
using testing::Comparison;
using testing::to_doubles;

struct Shapes {
  const char* name;
  int64_t depths, rows, tokens, width, target_width, vocabulary, draft_vocabulary;
  DType target_dtype = DType::f32;
};

// The op on random numbers, seeded by the case's name; and the same numbers for the reference.
class LossCase {
 public:
  explicit LossCase(const Shapes& shapes) : s(shapes), memory_(shapes.name) {
    problem.hidden = memory_.normal("hidden", {s.tokens, s.target_width});
    problem.target_lm_head = memory_.normal("target_lm_head", {s.vocabulary, s.target_width}, 0.5, s.target_dtype);
    problem.normed = memory_.normal("normed", {s.depths, s.rows, s.width});
    problem.lm_head = memory_.normal("lm_head", {s.draft_vocabulary, s.width}, 0.5);
    if (s.draft_vocabulary < s.vocabulary) problem.target_ids = memory_.integers("target_ids", some_ids());
    const Tensor position = memory_.integers("position", positions());
    problem.position = position.reshape({s.depths, s.rows});
    for (int64_t k = 0; k < s.depths; ++k) scale.push_back(1.0f / static_cast<float>(3 + k));
    problem.scale = scale;
    const Shape each = {s.depths, s.rows};
    problem.result = {memory_.output("loss", each), memory_.output("accept", each),
                      memory_.output("outcome", each, DType::u8)};
    problem.d_normed = memory_.output("d_normed", {s.depths, s.rows, s.width});
    problem.d_lm_head = memory_.normal("d_lm_head", {s.draft_vocabulary, s.width}, 0.01);
  }

  template <typename T>
  SoftCrossEntropyReference<T> reference() const {
    SoftCrossEntropyReference<T> made;
    made.depths = s.depths, made.rows = s.rows, made.width = s.width, made.target_width = s.target_width;
    made.vocabulary = s.vocabulary;
    made.hidden = to_doubles(problem.hidden), made.target_lm_head = to_doubles(problem.target_lm_head);
    for (int64_t i = 0; i < s.draft_vocabulary; ++i)
      made.target_ids.push_back(problem.target_ids.defined() ? problem.target_ids.as<int32_t>()[i]
                                                             : static_cast<int32_t>(i));
    for (const double x : to_doubles(problem.normed)) made.normed.push_back(x);
    for (const double x : to_doubles(problem.lm_head)) made.lm_head.push_back(x);
    const int32_t* position = problem.position.as<int32_t>();
    made.position.assign(position, position + s.depths * s.rows);
    made.scale.assign(scale.begin(), scale.end());
    return made;
  }

  std::vector<Comparison> broken_guards() const { return memory_.broken_guards(); }

  const Shapes s;
  SoftCrossEntropy problem;
  std::vector<float> scale;

 private:
  std::vector<int32_t> some_ids() {
    RandomStream random(s.name);
    std::vector<int32_t> ids;
    for (int64_t id = 0; id < s.vocabulary; ++id) {
      const auto left = static_cast<uint64_t>(s.vocabulary - id);
      if (random.below(left) < static_cast<uint64_t>(s.draft_vocabulary) - ids.size())
        ids.push_back(static_cast<int32_t>(id));
    }
    return ids;
  }

  // Row r of depth k reads position r + 1 + k, as in training; one row in five is not supervised there.
  std::vector<int32_t> positions() {
    RandomStream random(s.name);
    std::vector<int32_t> list;
    for (int64_t k = 0; k < s.depths; ++k)
      for (int64_t r = 0; r < s.rows; ++r)
        list.push_back(r + 1 + k < s.tokens && random.below(5) ? static_cast<int32_t>(r + 1 + k) : -1);
    return list;
  }

  CaseMemory memory_;
};

// Small ones have their whole gradient checked; the last crosses chunks of positions and panels of the vocabulary.
const Shapes kSmall[] = {
    {"full-vocabulary", 3, 9, 12, 5, 7, 21, 21}, {"some-of-the-vocabulary", 4, 11, 13, 6, 5, 37, 10},
    {"one-depth", 1, 5, 6, 3, 4, 17, 6},         {"bf16-target", 2, 7, 9, 5, 6, 19, 8, DType::bf16},
    {"one-draft-token", 2, 7, 9, 5, 6, 19, 1},
};
const Shapes kLarge = {"chunks-and-panels", 2, 300, 301, 12, 9, 4601, 530};

void expect_passed(const Comparison& comparison) { EXPECT_TRUE(comparison.passed()) << comparison.text(); }

void expect_results(const LossCase& one) {
  const auto reference = one.reference<double>();
  std::vector<double> loss, accept, outcome;
  for (int64_t k = 0; k < one.s.depths; ++k)
    for (int64_t r = 0; r < one.s.rows; ++r) {
      const auto row = reference.row(k, r);
      loss.push_back(row.loss), accept.push_back(row.accept), outcome.push_back(static_cast<double>(row.outcome));
    }
  expect_passed(compare("loss", one.problem.result.loss, loss));
  expect_passed(compare("accept", one.problem.result.accept, accept));
  for (size_t i = 0; i < outcome.size(); ++i)
    ASSERT_EQ(one.problem.result.outcome.as<uint8_t>()[i], static_cast<uint8_t>(outcome[i]))
        << one.s.name << " row " << i;
}

// d total / d values[i] for each i of `places`, by complex step.
template <typename Reference>
std::vector<double> complex_step(Reference& reference, std::vector<std::complex<double>>& values, int64_t stride) {
  std::vector<double> slopes;
  for (size_t i = 0; i < values.size(); i += static_cast<size_t>(stride)) {
    constexpr double kStep = 1e-30;
    values[i] += std::complex<double>(0, kStep);
    slopes.push_back(reference.total().imag() / kStep);
    values[i] = values[i].real();
  }
  return slopes;
}

std::vector<double> every(const std::vector<double>& values, int64_t stride) {
  std::vector<double> some;
  for (size_t i = 0; i < values.size(); i += static_cast<size_t>(stride)) some.push_back(values[i]);
  return some;
}

void expect_near(const char* tensor, const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, whole = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    difference += std::pow(found[i] - expected[i], 2), whole += expected[i] * expected[i];
  EXPECT_LE(std::sqrt(difference), 3e-6 * std::sqrt(whole) + 1e-12) << tensor << " of norm " << std::sqrt(whole);
}

void expect_gradients(LossCase& one, const std::vector<double>& d_lm_head_before, int64_t normed_stride,
                      int64_t head_stride) {
  auto reference = one.reference<std::complex<double>>();
  expect_near("d_normed", every(to_doubles(one.problem.d_normed), normed_stride),
              complex_step(reference, reference.normed, normed_stride));
  std::vector<double> added = to_doubles(one.problem.d_lm_head);
  for (size_t i = 0; i < added.size(); ++i) added[i] -= d_lm_head_before[i];
  expect_near("d_lm_head", every(added, head_stride), complex_step(reference, reference.lm_head, head_stride));
}

class SmallLoss : public ::testing::TestWithParam<Shapes> {};

TEST_P(SmallLoss, AgreesWithTheReference) {
  LossCase one(GetParam());
  const std::vector<double> before = to_doubles(one.problem.d_lm_head);
  Exec exec;
  soft_cross_entropy(exec, one.problem);
  expect_results(one);
  expect_gradients(one, before, 1, 1);
  for (const Comparison& guard : one.broken_guards()) expect_passed(guard);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SmallLoss, ::testing::ValuesIn(kSmall), [](const auto& shapes) {
  std::string name = shapes.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(SoftCrossEntropy, ChunksAndPanels) {
  LossCase one(kLarge);
  const std::vector<double> before = to_doubles(one.problem.d_lm_head);
  Exec exec;
  soft_cross_entropy(exec, one.problem);
  expect_results(one);
  expect_gradients(one, before, 577, 1579);
}

TEST(SoftCrossEntropy, WithoutGradientTheSameFigures) {
  LossCase one(kSmall[1]), other(kSmall[1]);
  Exec exec;
  soft_cross_entropy(exec, one.problem);
  other.problem.d_normed = {};
  soft_cross_entropy(exec, other.problem);
  expect_passed(compare_bits("loss", other.problem.result.loss, one.problem.result.loss));
  expect_passed(compare_bits("accept", other.problem.result.accept, one.problem.result.accept));
}

TEST(SoftCrossEntropy, TeacherArgmaxNamesTheSameTokens) {
  LossCase one(kLarge);
  Exec exec;
  const Buffer argmax(DType::i32, {kLarge.tokens});
  teacher_argmax(exec, one.problem, argmax);
  soft_cross_entropy(exec, one.problem);
  const auto reference = one.reference<double>();
  for (int64_t i = 0; i < kLarge.depths * kLarge.rows; ++i) {
    const int32_t j = one.problem.position.as<int32_t>()[i];
    if (j < 0) continue;
    const bool inside =
        std::binary_search(reference.target_ids.begin(), reference.target_ids.end(), argmax.tensor().as<int32_t>()[j]);
    EXPECT_EQ(!inside,
              one.problem.result.outcome.as<uint8_t>()[i] == static_cast<uint8_t>(RowOutcome::out_of_vocabulary));
  }
  EXPECT_EQ(argmax.tensor().as<int32_t>()[0], -1) << "no row asks for position 0";
}

// Two target tokens and two draft tokens with exactly the same logits: the lower id wins on both sides.
TEST(SoftCrossEntropy, TheLowestIdWinsATie) {
  const float hidden[] = {1, 2}, target_lm_head[] = {0, 0, 1, 2, 1, 2, 0, 1}, normed[] = {3, 1};
  const float lm_head[] = {1, 0, 2, 1, 2, 1};
  const int32_t target_ids[] = {0, 1, 3}, position[] = {0};
  float loss = 0, accept = 0;
  uint8_t outcome = 0;
  SoftCrossEntropy problem;
  problem.hidden = {hidden, DType::f32, {1, 2}}, problem.target_lm_head = {target_lm_head, DType::f32, {4, 2}};
  problem.normed = {normed, DType::f32, {1, 1, 2}}, problem.lm_head = {lm_head, DType::f32, {3, 2}};
  problem.target_ids = {target_ids, DType::i32, {3}}, problem.position = {position, DType::i32, {1, 1}};
  problem.result = {{&loss, DType::f32, {1, 1}}, {&accept, DType::f32, {1, 1}}, {&outcome, DType::u8, {1, 1}}};
  Exec exec;
  soft_cross_entropy(exec, problem);
  EXPECT_EQ(outcome, static_cast<uint8_t>(RowOutcome::right)) << "target tokens 1 and 2 tie, draft tokens 1 and 2 tie";
  EXPECT_NEAR(accept, std::exp(5.0) / (1 + 2 * std::exp(5.0) + std::exp(2.0)), 1e-6) << "not renormalised";
}

TEST(SoftCrossEntropy, ScratchStopsGrowing) {
  LossCase one(kSmall[1]);
  Exec exec;
  soft_cross_entropy(exec, one.problem);
  const int64_t before = exec.scratch.growths();
  soft_cross_entropy(exec, one.problem);
  EXPECT_EQ(exec.scratch.growths(), before);
}

TEST(SoftCrossEntropy, RefusesWhatDoesNotFit) {
  LossCase one(kSmall[1]);
  Exec exec;
  std::vector<int32_t> far(static_cast<size_t>(one.s.depths * one.s.rows), static_cast<int32_t>(one.s.tokens));
  one.problem.position = {far.data(), DType::i32, {one.s.depths, one.s.rows}};
  EXPECT_THROW(soft_cross_entropy(exec, one.problem), Error);
  LossCase two(kSmall[1]);
  two.problem.target_ids = {};
  EXPECT_THROW(soft_cross_entropy(exec, two.problem), Error) << "Vd < V needs its target ids";
}

}  // namespace
}  // namespace eyrie
