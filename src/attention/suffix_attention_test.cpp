#include "attention/suffix_attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "attention/classic_wrong_rule.h"
#include "attention/suffix_problem.h"

namespace eyrie {
namespace {

using testing::compare;
using testing::compare_bits;
using testing::Comparison;

std::vector<AttentionBackend> backends() {
  return {AttentionBackend::dense, AttentionBackend::fused, AttentionBackend::merge, AttentionBackend::masked};
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// The suffix keeps a fair share of the softmax here, or the wrong rule would hide.
double mean_prefix_share(SuffixProblem& made, const Tensor& lse) {
  SuffixAttention prefix = made.problem;
  prefix.suffix_k = prefix.suffix_v = prefix.suffix_row = {};
  Exec exec;
  const Tensor o = made.output_o("prefix o"), prefix_lse = made.output_lse("prefix lse");
  suffix_attention(exec, AttentionBackend::dense, prefix, o, prefix_lse);
  double sum = 0;
  for (int64_t i = 0; i < lse.elements(); ++i) sum += std::exp(prefix_lse.as<float>()[i] - lse.as<float>()[i]);
  return sum / static_cast<double>(lse.elements());
}

// The loss, d_v and the suffix cannot show the classic wrong rule; d_q and d_prefix_k must.
TEST(SuffixAttention, PrefixDifferentiatedAloneIsCaught) {
  Exec exec;
  SuffixProblem made("negative control", {.lengths = {40, 65, 9}, .q_heads = 4, .kv_heads = 2, .dim = 64, .depth = 3});
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  suffix_attention(exec, AttentionBackend::dense, made.problem, o, lse);
  EXPECT_GT(mean_prefix_share(made, lse), 0.1);
  EXPECT_LT(mean_prefix_share(made, lse), 0.9);
  const SuffixAttentionBackward right = made.gradients("right", o, lse), wrong = made.gradients("wrong", o, lse);
  suffix_attention_backward(exec, AttentionBackend::dense, made.problem, right);
  classic_wrong_backward(exec, made.problem, wrong);

  EXPECT_TRUE(compare("d_prefix_v", wrong.d_prefix_v, right.d_prefix_v).passed());
  EXPECT_TRUE(compare("d_suffix_k", wrong.d_suffix_k, right.d_suffix_k).passed());
  EXPECT_TRUE(compare("d_suffix_v", wrong.d_suffix_v, right.d_suffix_v).passed());
  for (const Comparison& caught :
       {compare("d_q", wrong.d_q, right.d_q), compare("d_prefix_k", wrong.d_prefix_k, right.d_prefix_k)}) {
    EXPECT_FALSE(caught.passed());
    EXPECT_GT(caught.relative_l2, 0.08) << caught.text();
    EXPECT_LT(caught.relative_l2, 0.5) << caught.text();
  }
}

// The rows and prefix of one sequence of a packed problem, as a problem of its own.
SuffixAttention one_sequence(SuffixProblem& made, int64_t first_row, int64_t rows, int64_t first_token,
                             int64_t tokens) {
  const auto slice = [&](const ConstTensor& tensor) { return ConstTensor(tensor.slice(first_row, first_row + rows)); };
  SuffixAttention one = made.problem;
  one.q = slice(made.problem.q);
  one.suffix_row = slice(made.problem.suffix_row);
  one.prefix_k = made.problem.prefix_k.slice(first_token, first_token + tokens);
  one.prefix_v = made.problem.prefix_v.slice(first_token, first_token + tokens);
  std::vector<int32_t> token, start;
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    token.push_back(made.problem.token.as<int32_t>()[row] - static_cast<int32_t>(first_token));
    start.push_back(made.problem.start.as<int32_t>()[row] - static_cast<int32_t>(first_token));
  }
  one.token = made.memory().integers("token of one", token);
  one.start = made.memory().integers("start of one", start);
  return one;
}

// Gradients that start from zero.
SuffixAttentionBackward zero_gradients(SuffixProblem& made, const std::string& name, const Tensor& o,
                                       const Tensor& lse) {
  const SuffixAttentionBackward grad = made.gradients(name, o, lse);
  for (const Tensor& tensor : {grad.d_prefix_k, grad.d_prefix_v, grad.d_suffix_k, grad.d_suffix_v}) fill_zero(tensor);
  return grad;
}

// Where a sequence alone differs in a bit from itself in the batch. d_prefix_k and d_prefix_v last: what is summed over
// rows.
std::vector<Comparison> packing_differences(AttentionBackend backend, const SuffixShape& shape) {
  Exec exec;
  SuffixProblem made("packing", shape);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  suffix_attention(exec, backend, made.problem, o, lse);
  const SuffixAttentionBackward packed = zero_gradients(made, "packed", o, lse);
  suffix_attention_backward(exec, backend, made.problem, packed);
  std::vector<Comparison> all;
  int64_t first = 0;
  for (const int length : shape.lengths) {
    const SuffixAttention one = one_sequence(made, first, length, first, length);
    const Tensor alone = made.memory().output("o of one", {length, shape.q_heads, shape.dim});
    const Tensor alone_lse = made.memory().output("lse of one", {length, shape.q_heads});
    suffix_attention(exec, backend, one, alone, alone_lse);
    SuffixAttentionBackward grad = zero_gradients(made, "alone", alone, alone_lse);
    grad.d_o = made.d_o.slice(first, first + length);
    grad.d_q = grad.d_q.slice(0, length);
    grad.d_prefix_k = grad.d_prefix_k.slice(0, length);
    grad.d_prefix_v = grad.d_prefix_v.slice(0, length);
    suffix_attention_backward(exec, backend, one, grad);
    const auto slice = [&](const Tensor& tensor) { return tensor.slice(first, first + length); };
    for (const Comparison& each : {compare_bits("o", alone, slice(o)), compare_bits("lse", alone_lse, slice(lse)),
                                   compare_bits("d_q", grad.d_q, slice(packed.d_q)),
                                   compare_bits("d_prefix_k", grad.d_prefix_k, slice(packed.d_prefix_k)),
                                   compare_bits("d_prefix_v", grad.d_prefix_v, slice(packed.d_prefix_v))})
      all.push_back(each);
    first += length;
  }
  return all;
}

TEST(SuffixAttention, NoBitChangesWithThePacking) {
  const SuffixShape shape = {.lengths = {37, 150, 70}, .q_heads = 7, .kv_heads = 1, .dim = 64, .depth = 2};
  for (const AttentionBackend backend : {AttentionBackend::dense, AttentionBackend::fused, AttentionBackend::merge})
    for (const Comparison& same : packing_differences(backend, shape))
      EXPECT_TRUE(same.passed()) << name(backend) << ", " << same.text();
}

// A BlockMask's grid counts from the start of the batch, so a sequence keeps its tiles, and a row its bits, where it
// begins at a multiple of a tile. What is summed over rows does not: the grid of rows also says who adds first.
TEST(SuffixAttention, MaskedKeepsItsBitsOnTheGrid) {
  const SuffixShape shape = {.lengths = {128, 192, 70}, .q_heads = 7, .kv_heads = 1, .dim = 64, .depth = 2};
  for (const Comparison& same : packing_differences(AttentionBackend::masked, shape))
    EXPECT_TRUE(same.passed() || same.tensor.starts_with("d_prefix")) << same.text();
}

TEST(SuffixAttention, BackwardTwiceGivesTheSameBits) {
  const SuffixShape shape = {.lengths = {200, 33}, .q_heads = 4, .kv_heads = 1, .dim = 64, .depth = 3};
  for (const AttentionBackend backend : backends()) {
    Exec exec;
    SuffixProblem made("twice", shape);
    const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
    suffix_attention(exec, backend, made.problem, o, lse);
    const SuffixAttentionBackward once = made.gradients("once", o, lse), again = made.gradients("again", o, lse);
    suffix_attention_backward(exec, backend, made.problem, once);
    suffix_attention_backward(exec, backend, made.problem, again);
    EXPECT_TRUE(compare_bits("d_q", once.d_q, again.d_q).passed());
    EXPECT_TRUE(compare_bits("d_prefix_k", once.d_prefix_k, again.d_prefix_k).passed());
    EXPECT_TRUE(compare_bits("d_suffix_v", once.d_suffix_v, again.d_suffix_v).passed());
  }
}

// No buffer of tokens x tokens: twice the tokens, at most twice the memory.
TEST(SuffixAttention, FusedMemoryGrowsWithTheTokens) {
  const auto bytes = [](int tokens) {
    SuffixProblem made("memory", {.lengths = {tokens}, .q_heads = 2, .kv_heads = 1, .dim = 16, .depth = 0});
    return scratch_bytes(AttentionBackend::fused, made.problem);
  };
  EXPECT_LE(bytes(8192), 2 * bytes(4096));
}

TEST(SuffixAttention, BackendsGoByName) {
  for (const AttentionBackend backend : backends()) EXPECT_EQ(find_backend(name(backend)), backend);
  EXPECT_EQ(find_backend("auto"), AttentionBackend::automatic);
  const std::string message = error_of([] { find_backend("flash"); });
  EXPECT_NE(message.find("flash"), std::string::npos) << message;
  EXPECT_NE(message.find("dense"), std::string::npos) << message;
}

TEST(SuffixAttention, ABackendThatRefusesNamesOneThatTakesIt) {
  SuffixProblem odd("odd", {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 20, .depth = 1});
  EXPECT_EQ(error_of([&] { choose_backend(AttentionBackend::fused, odd.problem); }),
            "attention: fused does not take this problem: head dimension 20 is not a multiple of the 16 floats of a "
            "vector; dense would");
  SuffixProblem even("even", {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 80, .depth = 1});
  EXPECT_EQ(choose_backend(AttentionBackend::automatic, even.problem), AttentionBackend::fused);
}

TEST(SuffixAttention, AutoFallsBackAndSaysItOnce) {
  SuffixProblem odd("fall-back", {.lengths = {5}, .q_heads = 2, .kv_heads = 1, .dim = 36, .depth = 1});
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(choose_backend(AttentionBackend::automatic, odd.problem), AttentionBackend::dense);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "attention: dense instead of fused: head dimension 36 is not a multiple of the 16 floats of a vector\n");
}

TEST(SuffixAttention, BadInputIsNamed) {
  const SuffixShape shape = {.lengths = {5, 6}, .q_heads = 2, .kv_heads = 1, .dim = 32, .depth = 1};
  SuffixProblem made("bad input", shape);
  const auto message = [&](const std::function<void(SuffixAttention&)>& spoil) {
    SuffixAttention problem = made.problem;
    spoil(problem);
    return error_of([&] { choose_backend(AttentionBackend::automatic, problem); });
  };
  const auto indices = [&](const std::vector<int32_t>& values) { return made.memory().integers("indices", values); };
  EXPECT_EQ(message([](SuffixAttention& p) { p.q = ConstTensor(p.q.data, DType::bf16, p.q.shape); }),
            "q: expected f32, found bf16");
  EXPECT_EQ(message([](SuffixAttention& p) { p.prefix_v = p.prefix_v.slice(0, 3); }),
            "prefix_v: expected shape [11, 1, any], found [3, 1, 32]");
  EXPECT_EQ(message([](SuffixAttention& p) { p.suffix_row = {}; }), "suffix_row: expected i32, found f32");
  EXPECT_EQ(message([&](SuffixAttention& p) {
              p.token = indices({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11});
            }),
            "token: row 10: expected an index below 11, found 11");
  EXPECT_EQ(message([&](SuffixAttention& p) {
              p.token = indices({0, 2, 1, 3, 4, 5, 6, 7, 8, 9, 10});
            }),
            "token: expected ascending values, found 1 behind 2 at row 2");
  EXPECT_EQ(message([&](SuffixAttention& p) {
              p.start = indices({0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3});
            }),
            "start: row 5 starts at 3, inside the sequence of the row before it (token 4)");
  EXPECT_EQ(message([&](SuffixAttention& p) {
              p.start = indices({0, 0, 3, 0, 0, 5, 5, 5, 5, 5, 5});
            }),
            "start: row 2: expected a start up to its token 2, found 3");
  EXPECT_EQ(message([](SuffixAttention& p) { p.q.strides[2] = 2; }),
            "q: expected a contiguous last dimension, found a stride of 2");
  EXPECT_EQ(message([](SuffixAttention& p) { p.prefix_v.device = Device::cuda; }),
            "prefix_v: expected a tensor on cpu, found one on cuda");
  EXPECT_EQ(message([](SuffixAttention& p) { p.start.device = Device::cuda; }),
            "start: expected a tensor on cpu, found one on cuda");
  EXPECT_EQ(message([](SuffixAttention& p) { p.whole_sequence = true; }),
            "whole_sequence: expected one sequence, found more");
  EXPECT_EQ(message([&](SuffixAttention& p) {
              p.whole_sequence = true;
              p.token = p.token.slice(1, 11), p.start = p.start.slice(1, 11), p.q = p.q.slice(1, 11);
            }),
            "whole_sequence: expected a row for every token, found 10 for 11");
}

}  // namespace
}  // namespace eyrie
