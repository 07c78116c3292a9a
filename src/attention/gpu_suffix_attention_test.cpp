// What suffix attention promises on a GPU besides right numbers (the cases hold those): graphs, the same bits. Needs a
// device (ctest label gpu).
#include <gtest/gtest.h>

#include "attention/suffix_problem.h"
#include "cuda/graph.h"
#include "testing/gpu.h"

namespace eyrie {
namespace {

using testing::compare_bits;
using testing::Comparison;

struct Run {
  AttentionBackend backend;
  DType dtype;
  SuffixShape shape;
};

std::string text(const Run& run) {
  return std::string(name(run.backend)) + "/" + name(run.dtype) + "/" + run.shape.name();
}

void PrintTo(const Run& run, std::ostream* out) { *out << text(run); }

std::vector<Run> runs() {
  using enum AttentionBackend;
  const std::vector<SuffixShape> shapes = {{{1, 127, 128, 129}, 8, 2, 128, 3},
                                           {{128, 256, 130}, 4, 1, 64, 2},
                                           {{129, 1, 255, 2}, 7, 1, 64, 0},
                                           {{2, 257}, 2, 2, 256, 4},
                                           {{300, 2, 200}, 4, 1, 128, 7, RowChoice::every_third},
                                           {{300}, 8, 2, 128, 2, RowChoice::all, 0, false, true}};
  std::vector<Run> list;
  for (const SuffixShape& shape : shapes) {
    list.push_back({dense, DType::f32, shape});
    for (const AttentionBackend backend : {fused, merge, masked, dense}) list.push_back({backend, DType::bf16, shape});
  }
  return list;
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

void expect_guards(const SuffixProblem& made) {
  for (const Comparison& broken : made.broken_guards()) ADD_FAILURE() << broken.text();
}

SuffixProblem on_gpu(const SuffixShape& shape, DType dtype) {
  return SuffixProblem(shape.name(), shape, dtype).copied({dtype, Device::cuda});
}

class GpuSuffixAttention : public testing::GpuTest, public ::testing::WithParamInterface<Run> {};

void expect_same_gradients(const SuffixAttentionBackward& found, const SuffixAttentionBackward& other,
                           const std::string& what) {
  expect_passed(compare_bits("d_q", found.d_q, other.d_q), what);
  for (const auto& [name, tensor] : kAccumulated)
    if ((found.*tensor).defined()) expect_passed(compare_bits(name, found.*tensor, other.*tensor), what);
}

TEST_P(GpuSuffixAttention, AGraphReplaysTheSameBits) {
  if constexpr (kHasCuda) {
    const auto& [backend, dtype, shape] = GetParam();
    SuffixProblem made = on_gpu(shape, dtype);
    Exec exec(Device::cuda);
    exec.scratch.reserve(scratch_bytes(backend, made.problem));
    const auto run = [&](const Tensor& o, const Tensor& lse, const SuffixAttentionBackward& grad) {
      suffix_attention(exec, backend, made.problem, o, lse);
      suffix_attention_backward(exec, backend, made.problem, grad);
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
    expect_guards(made);
  }
}

// Rows [first, first + length) and their prefix as a problem of its own: a sequence alone instead of in a batch.
SuffixAttention one_sequence(SuffixProblem& made, int64_t first, int64_t length) {
  const auto slice = [&](const ConstTensor& tensor) { return ConstTensor(tensor.slice(first, first + length)); };
  const auto shifted = [&](const char* name, const ConstTensor& tensor) {
    std::vector<int32_t> values;
    for (const double value : testing::to_doubles(slice(tensor)))
      values.push_back(static_cast<int32_t>(value) - static_cast<int32_t>(first));
    return made.memory().integers(name, values);
  };
  SuffixAttention one = made.problem;
  one.q = slice(one.q), one.prefix_k = slice(one.prefix_k), one.prefix_v = slice(one.prefix_v);
  one.token = shifted("token of one", made.problem.token);
  one.start = shifted("start of one", made.problem.start);
  if (one.depth() > 0) one.suffix_row = slice(one.suffix_row);
  return one;
}

constexpr int64_t kMaskGrid = 128;  // of rows and keys: masked sums in the order of its tiles

TEST_P(GpuSuffixAttention, NoBitChangesWithThePacking) {
  const auto& [backend, dtype, shape] = GetParam();
  if (shape.rows != RowChoice::all) GTEST_SKIP() << "rows and tokens must have one index";
  SuffixProblem made = on_gpu(shape, dtype);
  Exec exec(Device::cuda);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  suffix_attention(exec, backend, made.problem, o, lse);
  SuffixAttentionBackward packed = made.gradients("packed", o, lse);
  packed.deterministic = true;
  suffix_attention_backward(exec, backend, made.problem, packed);
  int64_t next = 0;
  for (const int length : shape.lengths) {
    const int64_t first = next;
    next += length;
    if (backend == AttentionBackend::masked && first % kMaskGrid != 0) continue;
    const auto slice = [&](const Tensor& tensor) { return tensor.slice(first, first + length); };
    const SuffixAttention one = one_sequence(made, first, length);
    const Tensor alone = slice(made.output_o("o of one")), alone_lse = slice(made.output_lse("lse of one"));
    suffix_attention(exec, backend, one, alone, alone_lse);
    SuffixAttentionBackward grad = made.gradients("alone", alone, alone_lse);
    grad.deterministic = true;
    grad.d_o = made.d_o.slice(first, first + length), grad.d_q = slice(grad.d_q);
    grad.d_prefix_k = slice(grad.d_prefix_k), grad.d_prefix_v = slice(grad.d_prefix_v);
    suffix_attention_backward(exec, backend, one, grad);
    const std::string what = "sequence of " + std::to_string(length);
    expect_passed(compare_bits("o", alone, slice(o)), what);
    expect_passed(compare_bits("lse", alone_lse, slice(lse)), what);
    expect_passed(compare_bits("d_q", grad.d_q, slice(packed.d_q)), what);
    expect_passed(compare_bits("d_prefix_k", grad.d_prefix_k, slice(packed.d_prefix_k)), what);
    expect_passed(compare_bits("d_prefix_v", grad.d_prefix_v, slice(packed.d_prefix_v)), what);
  }
  expect_guards(made);
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
  SuffixProblem made = on_gpu(shape, DType::bf16);
  Exec exec(Device::cuda);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  SuffixAttention mixed = made.problem;
  const Buffer below = Buffer::copy_of(made.problem.prefix_k);
  mixed.prefix_k = below;
  try {
    suffix_attention(exec, AttentionBackend::automatic, mixed, o, lse);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "prefix_k: expected a tensor on cuda, found one on cpu");
  }
}

TEST_F(GpuSuffixAttentionErrors, TheTileLoopsRefuseF32AndNameDense) {
  const SuffixShape shape = {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 64, .depth = 0};
  SuffixProblem made = on_gpu(shape, DType::f32);
  EXPECT_EQ(choose_backend(AttentionBackend::automatic, made.problem), AttentionBackend::dense);
  try {
    choose_backend(AttentionBackend::fused, made.problem);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("dense"), std::string::npos) << error.what();
  }
}

// A view of `memory` in which every row of the last dimension is followed by `gap` elements.
Tensor spread(const Buffer& memory, const Shape& shape, int64_t first, int64_t gap) {
  Tensor view(memory.tensor().data, memory.tensor().dtype, shape, memory.tensor().device);
  view.data = static_cast<char*>(view.data) + first * size_bytes(view.dtype);
  for (int i = shape.rank - 2; i >= 0; --i)
    view.strides[i] = i == shape.rank - 2 ? shape[i + 1] + gap : view.strides[i + 1] * shape[i + 1];
  return view;
}

TEST_F(GpuSuffixAttentionErrors, OutputsThatTheTileLoopsCannotWriteAreNamedAndAutoTakesDense) {
  const SuffixShape shape = {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 64, .depth = 1};
  SuffixProblem made = on_gpu(shape, DType::bf16);
  Exec exec(Device::cuda);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  const auto expect_refusal = [](const std::string& wanted, auto call) {
    try {
      call();
      ADD_FAILURE() << "no error: " << wanted;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(wanted), std::string::npos) << error.what();
    }
  };
  const Buffer memory(DType::bf16, {5 * 2 * 64 + 1}, Device::cuda);
  const Tensor shifted = spread(memory, o.shape, 1, 0);
  expect_refusal(
      "o: its tile loop takes rows that start at multiples of 16 bytes, found the first 2 bytes behind such a place",
      [&] { suffix_attention(exec, AttentionBackend::fused, made.problem, shifted, lse); });
  suffix_attention(exec, AttentionBackend::dense, made.problem, o, lse);
  suffix_attention(exec, AttentionBackend::automatic, made.problem, shifted, lse);
  expect_passed(compare_bits("o", shifted, o), "automatic");

  SuffixAttentionBackward grad = made.gradients("grad", o, lse);
  const Buffer wide(DType::f32, {5 * 66}, Device::cuda);
  grad.d_prefix_k = spread(wide, grad.d_prefix_k.shape, 0, 2);
  expect_refusal(
      "d_prefix_k: its tile loop takes rows that start at multiples of 16 bytes, found a stride of 264 bytes in "
      "dimension 0",
      [&] { suffix_attention_backward(exec, AttentionBackend::merge, made.problem, grad); });
}

}  // namespace
}  // namespace eyrie
