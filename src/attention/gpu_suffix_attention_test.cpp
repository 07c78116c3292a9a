// Suffix attention on a GPU against the CPU's answers: backend x dtype x shape. Needs a device (ctest label gpu).
#include <gtest/gtest.h>

#include "attention/gpu_suffix_problem.h"
#include "cuda/graph.h"
#include "testing/gpu.h"

namespace eyrie {
namespace {

using testing::compare;
using testing::compare_bits;
using testing::Comparison;
using testing::Tolerance;

struct Run {
  AttentionBackend backend;
  DType dtype;
  SuffixShape shape;
};

std::string text(const Run& run) {
  return std::string(name(run.backend)) + "/" + name(run.dtype) + "/" + run.shape.name();
}

void PrintTo(const Run& run, std::ostream* out) { *out << text(run); }

std::vector<SuffixShape> tiled_shapes() {
  using enum RowChoice;
  return {{{1, 127, 128, 129}, 8, 2, 128, 3},
          {{1, 2, 5}, 4, 2, 32, 2},
          {{}, 2, 1, 64, 1},
          {{1}, 2, 2, 64, 1},
          {{129, 1, 255, 2}, 7, 1, 64, 0},
          {{63, 2, 129}, 7, 1, 80, 1, every_third},
          {{65, 300}, 8, 1, 96, 8},
          {{127, 1, 2, 128}, 4, 1, 128, 2, last_half},
          {{2, 257}, 2, 2, 256, 4},
          {{130}, 2, 2, 32, 16},
          {{50, 50}, 4, 2, 64, 2, all, 0, true},
          {{300, 2, 200}, 4, 1, 128, 7, every_third},
          {{900, 124}, 8, 2, 128, 6}};
}

std::vector<SuffixShape> dense_shapes() {  // what `dense` alone takes
  return {{{33, 70}, 4, 2, 64, 2, RowChoice::last_half, 32},
          {{40}, 2, 1, 192, 2, RowChoice::all, 128},
          {{3, 5}, 80, 1, 16, 1}};
}

std::vector<Run> runs() {
  using enum AttentionBackend;
  std::vector<Run> list;
  for (const SuffixShape& shape : tiled_shapes()) {
    for (const AttentionBackend backend : {fused, merge, masked, dense})
      for (const DType dtype : {DType::bf16, DType::f16}) list.push_back({backend, dtype, shape});
    list.push_back({dense, DType::f32, shape});
  }
  for (const SuffixShape& shape : dense_shapes())
    for (const DType dtype : {DType::bf16, DType::f32}) list.push_back({dense, dtype, shape});
  return list;
}

Tolerance tolerance(DType dtype) {
  if (dtype == DType::f32) return {};
  return dtype == DType::bf16 ? Tolerance{1e-2, 3e-2} : Tolerance{2e-3, 6e-3};
}

// A call may take this much scratch memory and no more; it finds NaN there.
void prepare_scratch(Exec& exec, int64_t bytes) {
  exec.scratch.reserve(bytes);
  const ScratchScope scope(exec.scratch);
  const Tensor all = exec.scratch.take(DType::u8, {bytes});
  if constexpr (kHasCuda) cuda::set_bytes(all.data, 0xFF, bytes);
}

struct NamedGradient {
  const char* name;
  Tensor SuffixAttentionBackward::*tensor;
};
constexpr NamedGradient kAccumulated[] = {{"d_prefix_k", &SuffixAttentionBackward::d_prefix_k},
                                          {"d_prefix_v", &SuffixAttentionBackward::d_prefix_v},
                                          {"d_suffix_k", &SuffixAttentionBackward::d_suffix_k},
                                          {"d_suffix_v", &SuffixAttentionBackward::d_suffix_v}};

void expect_passed(const Comparison& result, const std::string& what) {
  EXPECT_TRUE(result.passed()) << what << ": " << result.text();
}

void expect_guards(testing::CaseMemory& memory) {
  for (const Comparison& broken : memory.broken_guards()) ADD_FAILURE() << broken.text();
}

// What was added to the start values, on the CPU.
Buffer added(const ConstTensor& sum, const ConstTensor& start) {
  Buffer difference = Buffer::copy_of(sum);
  const Buffer from = Buffer::copy_of(start);
  for (int64_t i = 0; i < sum.elements(); ++i) difference.tensor().as<float>()[i] -= from.tensor().as<float>()[i];
  return difference;
}

class GpuSuffixAttention : public testing::GpuTest, public ::testing::WithParamInterface<Run> {
 protected:
  void expect_gradients(GpuSuffixProblem& made, const SuffixAttentionBackward& found, const std::string& what) {
    const Tolerance limit = tolerance(GetParam().dtype);
    expect_passed(compare("d_q", found.d_q, expected_.d_q, limit), what);
    for (const auto& [name, tensor] : kAccumulated)
      if ((found.*tensor).defined())
        expect_passed(compare(name, added(found.*tensor, made.start().*tensor),
                              added(expected_.*tensor, made.start().*tensor), limit),
                      what);
  }
  SuffixAttentionBackward expected_;
};

TEST_P(GpuSuffixAttention, AgreesWithTheCpuAndStaysInBounds) {
  const auto& [backend, dtype, shape] = GetParam();
  GpuSuffixProblem made(shape, dtype);
  auto reference = made.on_cpu.reference<double>();
  reference.forward();
  Exec cpu, exec(Device::cuda);
  prepare_scratch(exec, scratch_bytes(backend, made.problem));
  const int64_t allocations = exec.scratch.allocations();

  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  forward(exec, backend, made.problem, o, lse);
  expect_passed(compare("o", o, reference.o, tolerance(dtype)), "forward");
  expect_passed(compare("lse", lse, reference.lse, {1e-5, 1e-4}), "forward");

  const Tensor cpu_o = made.on_cpu.output_o("o"), cpu_lse = made.on_cpu.output_lse("lse");
  forward(cpu, AttentionBackend::dense, made.on_cpu.problem, cpu_o, cpu_lse);
  expected_ = made.on_cpu.gradients("expected", cpu_o, cpu_lse);
  backward(cpu, AttentionBackend::dense, made.on_cpu.problem, expected_);
  for (const bool deterministic : {false, true}) {
    prepare_scratch(exec, scratch_bytes(backend, made.problem));
    SuffixAttentionBackward found = made.gradients(deterministic ? "repeatable" : "found", o, lse);
    found.deterministic = deterministic;
    backward(exec, backend, made.problem, found);
    expect_gradients(made, found, deterministic ? "deterministic backward" : "backward");
  }
  EXPECT_EQ(exec.scratch.allocations(), allocations) << "more than scratch_bytes() was taken";
  expect_guards(made.memory());
}

void expect_same_gradients(const SuffixAttentionBackward& found, const SuffixAttentionBackward& other,
                           const std::string& what) {
  expect_passed(compare_bits("d_q", found.d_q, other.d_q), what);
  for (const auto& [name, tensor] : kAccumulated)
    if ((found.*tensor).defined()) expect_passed(compare_bits(name, found.*tensor, other.*tensor), what);
}

TEST_P(GpuSuffixAttention, AGraphReplaysTheSameBits) {
  if constexpr (kHasCuda) {
    const auto& [backend, dtype, shape] = GetParam();
    GpuSuffixProblem made(shape, dtype);
    Exec exec(Device::cuda);
    exec.scratch.reserve(scratch_bytes(backend, made.problem));
    const auto run = [&](const Tensor& o, const Tensor& lse, const SuffixAttentionBackward& grad) {
      forward(exec, backend, made.problem, o, lse);
      backward(exec, backend, made.problem, grad);
    };
    const auto outputs = [&](const std::string& name) {
      const Tensor o = made.output_o(name + ".o"), lse = made.output_lse(name + ".lse");
      SuffixAttentionBackward grad = made.gradients(name, o, lse);
      grad.deterministic = true;
      return std::tuple(o, lse, grad);
    };
    const auto [o, lse, grad] = outputs("plain");
    run(o, lse, grad);
    const auto [again_o, again_lse, again] = outputs("again");
    run(again_o, again_lse, again);
    expect_same_gradients(again, grad, "run twice");
    const auto [graph_o, graph_lse, graph_grad] = outputs("graph");
    const cuda::Graph graph = cuda::Graph::capture(
        exec.stream, [&, &o_ = graph_o, &lse_ = graph_lse, &grad_ = graph_grad] { run(o_, lse_, grad_); });
    graph.replay(exec.stream);
    expect_passed(compare_bits("o", graph_o, o), "replayed");
    expect_passed(compare_bits("lse", graph_lse, lse), "replayed");
    expect_same_gradients(graph_grad, grad, "replayed");
    expect_guards(made.memory());
  }
}

// Rows [first, first + length) and their prefix as a problem of its own: a sequence alone instead of in a batch.
SuffixAttention one_sequence(GpuSuffixProblem& made, int64_t first, int64_t length) {
  const auto slice = [&](const ConstTensor& tensor) { return ConstTensor(tensor.slice(first, first + length)); };
  const auto shifted = [&](const char* name, const ConstTensor& on_cpu) {
    std::vector<int32_t> values;
    for (int64_t row = first; row < first + length; ++row)
      values.push_back(on_cpu.as<int32_t>()[row] - static_cast<int32_t>(first));
    return made.memory().integers(name, values);
  };
  SuffixAttention one = made.problem;
  one.q = slice(one.q), one.prefix_k = slice(one.prefix_k), one.prefix_v = slice(one.prefix_v);
  one.token = shifted("token of one", made.on_cpu.problem.token);
  one.start = shifted("start of one", made.on_cpu.problem.start);
  if (one.depth() > 0) one.suffix_row = slice(one.suffix_row);
  return one;
}

TEST_P(GpuSuffixAttention, NoBitChangesWithThePacking) {
  const auto& [backend, dtype, shape] = GetParam();
  if (shape.rows != RowChoice::all) GTEST_SKIP() << "rows and tokens must have one index";
  GpuSuffixProblem made(shape, dtype);
  Exec exec(Device::cuda);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  forward(exec, backend, made.problem, o, lse);
  SuffixAttentionBackward packed = made.gradients("packed", o, lse);
  packed.deterministic = true;
  backward(exec, backend, made.problem, packed);
  int64_t first = 0;
  for (const int length : shape.lengths) {
    const auto slice = [&](const Tensor& tensor) { return tensor.slice(first, first + length); };
    const SuffixAttention one = one_sequence(made, first, length);
    const Tensor alone = slice(made.output_o("o of one")), alone_lse = slice(made.output_lse("lse of one"));
    forward(exec, backend, one, alone, alone_lse);
    SuffixAttentionBackward grad = made.gradients("alone", alone, alone_lse);
    grad.deterministic = true;
    grad.d_o = made.d_o.slice(first, first + length), grad.d_q = slice(grad.d_q);
    grad.d_prefix_k = slice(grad.d_prefix_k), grad.d_prefix_v = slice(grad.d_prefix_v);
    backward(exec, backend, one, grad);
    const std::string what = "sequence of " + std::to_string(length);
    expect_passed(compare_bits("o", alone, slice(o)), what);
    expect_passed(compare_bits("lse", alone_lse, slice(lse)), what);
    expect_passed(compare_bits("d_q", grad.d_q, slice(packed.d_q)), what);
    expect_passed(compare_bits("d_prefix_k", grad.d_prefix_k, slice(packed.d_prefix_k)), what);
    expect_passed(compare_bits("d_prefix_v", grad.d_prefix_v, slice(packed.d_prefix_v)), what);
    first += length;
  }
  expect_guards(made.memory());
}

std::string test_name(const ::testing::TestParamInfo<Run>& run) {
  std::string name = text(run.param);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuSuffixAttention, ::testing::ValuesIn(runs()), test_name);

class GpuSuffixAttentionErrors : public testing::GpuTest {};

TEST_F(GpuSuffixAttentionErrors, ATensorOnTheOtherDeviceIsNamed) {
  const SuffixShape shape = {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 64, .depth = 0};
  GpuSuffixProblem made(shape, DType::bf16);
  Exec exec(Device::cuda);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  SuffixAttention mixed = made.problem;
  const Buffer below = Buffer::copy_of(made.problem.prefix_k);
  mixed.prefix_k = below;
  try {
    forward(exec, AttentionBackend::automatic, mixed, o, lse);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "prefix_k: expected a tensor on cuda, found one on cpu");
  }
}

TEST_F(GpuSuffixAttentionErrors, TheTileLoopsRefuseF32AndNameDense) {
  const SuffixShape shape = {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 64, .depth = 0};
  GpuSuffixProblem made(shape, DType::f32);
  EXPECT_EQ(choose_backend(AttentionBackend::automatic, made.problem), AttentionBackend::dense);
  try {
    choose_backend(AttentionBackend::fused, made.problem);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("dense"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace eyrie
