#include "ops/soft_cross_entropy.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/random.h"
#include "ops/soft_cross_entropy_reference.h"
#include "testing/compare.h"
#include "testing/gpu.h"
#include "testing/poison.h"
#include "testing/test_names.h"

namespace eyrie {
namespace {

using testing::CaseMemory;
using testing::compare;
using testing::compare_bits;
using testing::Comparison;
using testing::on_cpu;
using testing::to_doubles;
using testing::Tolerance;

struct Shapes {
  const char* name;
  int64_t rows, depths, width, target_width, vocabulary, draft_vocabulary;
  DType target_dtype = DType::f32;  // on a CPU
};

// Where an op runs, and in which dtype its activations are.
struct Place {
  Device device = Device::cpu;
  DType dtype = DType::f32;
  Tolerance tolerance() const {  // of the gradients
    if (dtype != DType::f32) return testing::tolerance_of(dtype);
    return device == Device::cpu ? Tolerance{3e-6, 1e-4} : Tolerance{1e-4, 1e-3};
  }
  Tolerance of_figures() const { return device == Device::cpu ? Tolerance{} : Tolerance{1e-4, 1e-3}; }
};

// The op on random numbers, seeded by the case's name; and the same numbers for the reference.
class LossCase {
 public:
  explicit LossCase(const Shapes& shapes, const Place& place_ = {})
      : s(shapes), place(place_), memory_(shapes.name, place.device) {
    const int64_t positions = s.rows + s.depths - 1;
    problem.hidden = memory_.normal("hidden", {positions, s.target_width}, 1.0, place.dtype);
    problem.target_lm_head = memory_.normal("target_lm_head", {s.vocabulary, s.target_width}, 0.5,
                                            place.device == Device::cpu ? s.target_dtype : place.dtype);
    problem.normed = normed = memory_.normal("normed", {s.rows, s.depths, s.width}, 1.0, place.dtype);
    problem.lm_head = memory_.normal("lm_head", {s.draft_vocabulary, s.width}, 0.5, place.dtype);
    target_ids = some_ids();
    if (s.draft_vocabulary < s.vocabulary) problem.target_ids = memory_.integers("target_ids", target_ids);
    problem.position_here = position = positions_of_rows();
    const Tensor there = memory_.integers("position", position);
    problem.position = there.reshape({s.rows, s.depths});
    for (int64_t k = 0; k < s.depths; ++k) scale.push_back(1.0f / static_cast<float>(3 + k));
    problem.scale = scale;
    problem.result = take_result();
    problem.d_normed = memory_.output("d_normed", normed.shape, place.dtype);
    problem.d_lm_head = take_d_lm_head();
  }

  SoftCrossEntropyResult take_result() {
    const Shape each = {s.rows, s.depths};
    return {memory_.output("loss", each, DType::f32), memory_.output("accept", each, DType::f32),
            memory_.output("outcome", each, DType::u8)};
  }
  Tensor take_d_lm_head() { return memory_.normal("d_lm_head", {s.draft_vocabulary, s.width}, 0.01, DType::f32); }

  template <typename T>
  SoftCrossEntropyReference<T> reference() const {
    SoftCrossEntropyReference<T> made;
    made.rows = s.rows, made.depths = s.depths, made.width = s.width, made.target_width = s.target_width;
    made.hidden = to_doubles(problem.hidden), made.target_lm_head = to_doubles(problem.target_lm_head);
    made.target_ids = target_ids;
    for (const double x : to_doubles(problem.normed)) made.normed.push_back(x);
    for (const double x : to_doubles(problem.lm_head)) made.lm_head.push_back(x);
    made.position = position;
    made.scale.assign(scale.begin(), scale.end());
    return made;
  }

  std::vector<Comparison> broken_guards() const { return memory_.broken_guards(); }

  const Shapes s;
  const Place place;
  SoftCrossEntropy problem;
  Tensor normed;
  std::vector<float> scale;
  std::vector<int32_t> target_ids, position;

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

  // Row r of depth k learns from position r + k, as in training; one row in five is not supervised there.
  std::vector<int32_t> positions_of_rows() {
    RandomStream random(s.name);
    std::vector<int32_t> list;
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t k = 0; k < s.depths; ++k) list.push_back(random.below(5) ? static_cast<int32_t>(r + k) : -1);
    return list;
  }

  CaseMemory memory_;
};

// Small ones have their whole gradient checked, of the others samples: they cross chunks of positions and panels of the
// vocabulary, or tiles of a row.
const Shapes kSmall[] = {
    {"full vocabulary", 9, 3, 5, 7, 21, 21},
    {"some of the vocabulary", 11, 4, 6, 5, 37, 10},
    {"one depth", 5, 1, 3, 4, 17, 6},
    {"bf16 target", 7, 2, 5, 6, 19, 8, DType::bf16},
    {"one draft token", 7, 2, 5, 6, 19, 1},
    {"seven depths", 13, 7, 8, 16, 48, 24},
    {"one row of many depths", 1, 17, 4, 4, 9, 5},
};
const Shapes kLarge[] = {
    {"chunks and panels", 300, 2, 12, 9, 4601, 530},
    {"tiles of a row", 6, 2, 7, 5, 13001, 9003},
    {"tiles of the full vocabulary", 5, 2, 7, 5, 8195, 8195},
};

void expect_passed(const Comparison& comparison) { EXPECT_TRUE(comparison.passed()) << comparison.text(); }

std::vector<uint8_t> outcomes(const LossCase& one) {
  const Buffer here = on_cpu(one.problem.result.outcome);
  const uint8_t* first = here.tensor().as<uint8_t>();
  return {first, first + here.tensor().elements()};
}

void expect_results(const LossCase& one) {
  const auto reference = one.reference<double>();
  std::vector<double> loss, accept;
  std::vector<uint8_t> outcome;
  for (int64_t r = 0; r < one.s.rows; ++r)
    for (int64_t k = 0; k < one.s.depths; ++k) {
      const auto row = reference.row(r, k);
      loss.push_back(row.loss), accept.push_back(row.accept), outcome.push_back(static_cast<uint8_t>(row.outcome));
    }
  expect_passed(compare("loss", one.problem.result.loss, loss, one.place.of_figures()));
  expect_passed(compare("accept", one.problem.result.accept, accept, one.place.of_figures()));
  EXPECT_EQ(outcomes(one), outcome);
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

void expect_near(const char* tensor, const std::vector<double>& found, const std::vector<double>& expected,
                 double tolerance) {
  double difference = 0, whole = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    difference += std::pow(found[i] - expected[i], 2), whole += expected[i] * expected[i];
  EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(whole) + 1e-12) << tensor << " of norm " << std::sqrt(whole);
}

void expect_gradients(LossCase& one, const std::vector<double>& d_lm_head_before, int64_t normed_stride,
                      int64_t head_stride) {
  auto reference = one.reference<std::complex<double>>();
  const double tolerance = one.place.tolerance().relative_l2;
  expect_near("d_normed", every(to_doubles(one.problem.d_normed), normed_stride),
              complex_step(reference, reference.normed, normed_stride), tolerance);
  std::vector<double> added = to_doubles(one.problem.d_lm_head);
  for (size_t i = 0; i < added.size(); ++i) added[i] -= d_lm_head_before[i];
  expect_near("d_lm_head", every(added, head_stride), complex_step(reference, reference.lm_head, head_stride),
              tolerance);
}

// Every normed_stride-th of the gradients of normed is checked, and so on.
void expect_all(const Shapes& shapes, const Place& place, int64_t normed_stride = 1, int64_t head_stride = 1) {
  SCOPED_TRACE(shapes.name);
  LossCase one(shapes, place);
  const std::vector<double> before = to_doubles(one.problem.d_lm_head);
  Exec exec(place.device);
  soft_cross_entropy(exec, one.problem);
  expect_results(one);
  expect_gradients(one, before, normed_stride, head_stride);
  for (const Comparison& guard : one.broken_guards()) expect_passed(guard);
}

void expect_all_of_large(const Place& place) {
  expect_all(kLarge[0], place, 577, 1579);
  for (const Shapes& shapes : {kLarge[1], kLarge[2]}) expect_all(shapes, place, 3, 5003);
}

void expect_same_figures_without_gradient(const Place& place) {
  LossCase one(kSmall[1], place), other(kSmall[1], place);
  Exec exec(place.device);
  soft_cross_entropy(exec, one.problem);
  other.problem.d_normed = {};
  soft_cross_entropy(exec, other.problem);
  expect_passed(compare_bits("loss", other.problem.result.loss, one.problem.result.loss));
  expect_passed(compare_bits("accept", other.problem.result.accept, one.problem.result.accept));
}

void expect_same_bits_in_place_of_normed(const Place& place) {
  for (const Shapes& shapes : {kSmall[1], kSmall[5], kLarge[0]}) {
    LossCase one(shapes, place), other(shapes, place);
    Exec exec(place.device);
    soft_cross_entropy(exec, one.problem);
    other.problem.d_normed = other.normed;
    soft_cross_entropy(exec, other.problem);
    expect_passed(compare_bits("loss", other.problem.result.loss, one.problem.result.loss));
    expect_passed(compare_bits("d_normed", other.problem.d_normed, one.problem.d_normed));
    expect_passed(compare_bits("d_lm_head", other.problem.d_lm_head, one.problem.d_lm_head));
  }
}

void expect_argmax_of_the_teacher(const Place& place, int64_t chunk_bytes) {
  LossCase one(kLarge[0], place);
  Exec exec(place.device);
  const Buffer there(DType::i32, {one.problem.hidden.dim(0)}, place.device);
  teacher_argmax(exec, {.hidden = one.problem.hidden,
                        .target_lm_head = one.problem.target_lm_head,
                        .argmax = there,
                        .chunk_bytes = chunk_bytes});
  soft_cross_entropy(exec, one.problem);
  const Buffer argmax = on_cpu(there);
  const std::vector<uint8_t> outcome = outcomes(one);
  for (size_t i = 0; i < one.position.size(); ++i) {
    if (one.position[i] < 0) continue;
    const bool inside = std::binary_search(one.target_ids.begin(), one.target_ids.end(),
                                           argmax.tensor().as<int32_t>()[one.position[i]]);
    EXPECT_EQ(!inside, outcome[i] == static_cast<uint8_t>(RowOutcome::out_of_vocabulary));
  }
}

// Rows of a head: all logits are `other`'s but those of two tokens, which have `tied`'s exactly.
struct Tie {
  int64_t tokens, first, second;
  float other[2], tied[2];
  Buffer head(DType dtype) const {
    const Buffer made(DType::f32, {tokens, 2});
    for (int64_t i = 0; i < tokens; ++i)
      std::copy_n(i == first || i == second ? tied : other, 2, made.tensor().as<float>() + 2 * i);
    return Buffer::copy_of(made, dtype);
  }
};

RowOutcome outcome_of_ties(const Place& place, const Tie& target, const Tie& draft,
                           const std::vector<int32_t>& target_ids) {
  const float hidden[] = {1, 2}, normed[] = {3, 1};
  const std::vector<int32_t> position = {0};
  CaseMemory memory("tie", place.device);
  const auto put = [&](const char* name, const float* values, const Shape& shape) {
    return memory.put(name, Buffer::copy_of(ConstTensor(values, DType::f32, shape), place.dtype));
  };
  SoftCrossEntropy problem;
  problem.hidden = put("hidden", hidden, {1, 2});
  problem.target_lm_head = memory.put("target_lm_head", target.head(place.dtype));
  problem.normed = put("normed", normed, {1, 1, 2});
  problem.lm_head = memory.put("lm_head", draft.head(place.dtype));
  problem.target_ids = memory.integers("target_ids", target_ids);
  problem.position = ConstTensor(memory.integers("position", position)).reshape({1, 1});
  problem.position_here = position;
  problem.result = {memory.output("loss", {1, 1}, DType::f32), memory.output("accept", {1, 1}, DType::f32),
                    memory.output("outcome", {1, 1}, DType::u8)};
  Exec exec(place.device);
  soft_cross_entropy(exec, problem);
  const double tied = std::exp(5.0), all = static_cast<double>(target.tokens - 2) + 2 * tied;
  EXPECT_NEAR(to_doubles(problem.result.accept)[0], tied / all, 1e-6) << "not renormalised";
  const Buffer outcome = on_cpu(problem.result.outcome);
  return static_cast<RowOutcome>(outcome.tensor().as<uint8_t>()[0]);
}

// On both sides; also where a later part of the row has the lower place in what reduces it.
void expect_the_lowest_id_wins(const Place& place) {
  const Tie few = {4, 1, 2, {0, 0}, {1, 2}}, few_draft = {3, 1, 2, {1, 0}, {2, 1}};
  EXPECT_EQ(outcome_of_ties(place, few, few_draft, {0, 1, 3}), RowOutcome::right);
  EXPECT_EQ(outcome_of_ties(place, few, few_draft, {0, 2, 3}), RowOutcome::out_of_vocabulary) << "2 is as large";
  const Tie many = {9000, 3001, 7002, {0, 0}, {1, 2}}, many_draft = {8000, 3001, 6500, {1, 0}, {2, 1}};
  std::vector<int32_t> target_ids(8000);
  std::iota(target_ids.begin(), target_ids.end(), 0);
  EXPECT_EQ(outcome_of_ties(place, many, many_draft, target_ids), RowOutcome::right);
  for (size_t i = 3001; i < target_ids.size(); ++i) ++target_ids[i];
  const Tie of_7002 = {8000, 7001, 7500, {1, 0}, {2, 1}};
  EXPECT_EQ(outcome_of_ties(place, many, of_7002, target_ids), RowOutcome::out_of_vocabulary) << "7002 is as large";
}

class SmallLoss : public ::testing::TestWithParam<std::string> {};

const Shapes& shapes_of(const std::string& name) {
  return *std::find_if(std::begin(kSmall), std::end(kSmall), [&](const Shapes& one) { return one.name == name; });
}
std::vector<std::string> small_names() {
  std::vector<std::string> names;
  for (const Shapes& one : kSmall) names.emplace_back(one.name);
  return names;
}

TEST_P(SmallLoss, AgreesWithTheReference) { expect_all(shapes_of(GetParam()), {}); }
INSTANTIATE_TEST_SUITE_P(Shapes, SmallLoss, ::testing::ValuesIn(small_names()), testing::word_name);

TEST(SoftCrossEntropy, ChunksAndPanels) { expect_all_of_large({}); }
TEST(SoftCrossEntropy, WithoutGradientTheSameFigures) { expect_same_figures_without_gradient({}); }
TEST(SoftCrossEntropy, InPlaceOfNormedTheSameGradients) { expect_same_bits_in_place_of_normed({}); }
TEST(SoftCrossEntropy, TeacherArgmaxNamesTheSameTokens) { expect_argmax_of_the_teacher({}, 1); }
TEST(SoftCrossEntropy, TheLowestIdWinsATie) { expect_the_lowest_id_wins({}); }

TEST(SoftCrossEntropy, ScratchStopsGrowing) {
  LossCase one(kSmall[1]);
  Exec exec;
  soft_cross_entropy(exec, one.problem);
  const int64_t before = exec.scratch.growths();
  soft_cross_entropy(exec, one.problem);
  EXPECT_EQ(exec.scratch.growths(), before);
}

TEST(SoftCrossEntropy, RefusesWhatDoesNotFit) {
  const auto refusal_of = [](const auto& change, const Shapes& shapes = kSmall[1]) -> std::string {
    LossCase one(shapes);
    change(one);
    Exec exec;
    try {
      soft_cross_entropy(exec, one.problem);
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(refusal_of([](LossCase& one) { one.position[5] = 14; }), "position[1, 1]: expected less than 14, found 14");
  EXPECT_EQ(refusal_of([](LossCase& one) { one.problem.position_here = {}; }), "position_here: expected 44, found 0");
  EXPECT_EQ(refusal_of([](LossCase& one) { one.problem.target_ids = {}; }),
            "lm_head: expected shape [37, 6], found [10, 6]");
  EXPECT_EQ(refusal_of([](LossCase&) {}, {"deep", 2, 18, 3, 3, 5, 5}), "scale: expected at most 17, found 18");
}

class GpuSoftCrossEntropy : public testing::GpuTest, public ::testing::WithParamInterface<DType> {
 protected:
  const Place place_ = {Device::cuda, GetParam()};
};
INSTANTIATE_TEST_SUITE_P(DTypes, GpuSoftCrossEntropy, ::testing::Values(DType::f32, DType::bf16));

TEST_P(GpuSoftCrossEntropy, AgreesWithTheReference) {
  for (const Shapes& shapes : kSmall) expect_all(shapes, place_);
}
TEST_P(GpuSoftCrossEntropy, TilesOfARow) { expect_all_of_large(place_); }
TEST_P(GpuSoftCrossEntropy, WithoutGradientTheSameFigures) { expect_same_figures_without_gradient(place_); }
TEST_P(GpuSoftCrossEntropy, InPlaceOfNormedTheSameGradients) { expect_same_bits_in_place_of_normed(place_); }
TEST_P(GpuSoftCrossEntropy, TeacherArgmaxNamesTheSameTokens) {
  for (const int64_t bytes : {1, 300000, 1 << 30}) expect_argmax_of_the_teacher(place_, bytes);
}
TEST_P(GpuSoftCrossEntropy, TheLowestIdWinsATie) { expect_the_lowest_id_wins(place_); }

// Chunks of one row share all but one of their positions, and the last one may be smaller than the others.
TEST_P(GpuSoftCrossEntropy, ChunksGiveWhatTheWholeGives) {
  for (const Shapes& shapes : {kSmall[0], kSmall[1], kSmall[2], kSmall[5], kLarge[0], kLarge[1]})
    for (const int64_t rows : {1, 2, 5, 9}) {
      SCOPED_TRACE(std::string(shapes.name) + ", rows of a chunk: " + std::to_string(rows));
      LossCase whole(shapes, place_), cut(shapes, place_);
      Exec exec(Device::cuda);
      soft_cross_entropy(exec, whole.problem);
      cut.problem.chunk_bytes = rows * 4 * (shapes.vocabulary + shapes.depths * shapes.draft_vocabulary);
      soft_cross_entropy(exec, cut.problem);
      const Tolerance tolerance = {1e-6, 1e-5};
      const auto expect_same = [&](const char* name, const ConstTensor& found, const ConstTensor& expected) {
        expect_passed(compare(name, on_cpu(found), on_cpu(expected), tolerance));
      };
      expect_same("loss", cut.problem.result.loss, whole.problem.result.loss);
      expect_same("accept", cut.problem.result.accept, whole.problem.result.accept);
      expect_same("d_normed", cut.problem.d_normed, whole.problem.d_normed);
      expect_same("d_lm_head", cut.problem.d_lm_head, whole.problem.d_lm_head);
      EXPECT_EQ(outcomes(cut), outcomes(whole));
      for (const Comparison& guard : cut.broken_guards()) expect_passed(guard);
    }
}

TEST_P(GpuSoftCrossEntropy, TheSameBitsEveryTime) {
  LossCase one(kLarge[0], place_), again(kLarge[0], place_);
  Exec exec(Device::cuda);
  for (LossCase* each : {&one, &again}) soft_cross_entropy(exec, each->problem);
  expect_passed(compare_bits("loss", again.problem.result.loss, one.problem.result.loss));
  expect_passed(compare_bits("d_normed", again.problem.d_normed, one.problem.d_normed));
  expect_passed(compare_bits("d_lm_head", again.problem.d_lm_head, one.problem.d_lm_head));
}

TEST_P(GpuSoftCrossEntropy, ADryRunTakesTheLogits) {
  LossCase one(kLarge[1], place_);
  Exec plan = Exec::plan(Device::cuda), exec(Device::cuda);
  soft_cross_entropy(plan, one.problem);
  EXPECT_GE(plan.scratch.most_bytes(), 4 * (kLarge[1].vocabulary + kLarge[1].draft_vocabulary) * kLarge[1].rows);
  soft_cross_entropy(exec, one.problem);
  EXPECT_LE(plan.scratch.most_bytes(), exec.scratch.most_bytes());
}

}  // namespace
}  // namespace eyrie
