#include "ops/linear.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "hwy/highway.h"
#include "ops/activation.h"
#include "testing/poison.h"
#include "testing/threads.h"

namespace eyrie {
namespace {

using testing::CaseMemory;
using testing::compare_bits;

struct Sizes {
  int64_t in, out;
};
class Rows : public ::testing::TestWithParam<Sizes> {};

// Runs body() once for each instruction set that there are kernels for on this machine.
void with_each_instruction_set(const std::function<void(const std::string&)>& body) {
  const int64_t supported = hwy::SupportedTargets();
  for (const int64_t target : {HWY_AVX2, HWY_AVX3}) {
    if (!(supported & target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    body(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(0);
  }
}

// Row r of any batch, on any number of threads, has the bits of row r alone, with W as it lies there and copied.
TEST_P(Rows, ARowDoesNotDependOnTheOthers) {
  constexpr int64_t kMost = 513;
  const auto [in, out] = GetParam();
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    CaseMemory memory("rows");
    const Tensor x = memory.normal("x", {kMost, in}), weight = memory.normal("weight", {out, in}, 1.0, dtype);
    const Tensor bias = memory.normal("bias", {out}), alone = memory.output("alone", {kMost, out});
    Exec exec;
    with_each_instruction_set([&](const std::string& set) {
      for (int64_t r = 0; r < kMost; ++r)
        linear(exec, {.x = x.slice(r, r + 1), .weight = weight, .bias = bias, .y = alone.slice(r, r + 1)});
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 40, 41, 43, 200, 513}) {
        const testing::Threads threads(1 + rows % 4);
        const int64_t first = kMost - rows;
        const Tensor y = memory.output("y", {rows, out});
        linear(exec, {.x = x.slice(first, kMost), .weight = weight, .bias = bias, .y = y});
        const auto result = compare_bits("y", y, alone.slice(first, kMost));
        ASSERT_TRUE(result.passed()) << set << ", " << rows << " rows, " << name(dtype) << ": " << result.text();
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Rows,
                         ::testing::Values(Sizes{1, 1}, Sizes{7, 3}, Sizes{255, 1001}, Sizes{640, 1001}, Sizes{640, 3},
                                           Sizes{31, 6}, Sizes{512, 64}, Sizes{2048, 65}, Sizes{2101, 67}));

// The matrix of rows, threads and instruction sets that a server meets.
TEST(Linear, RowsTimesThreadsTimesInstructionSets) {
  CaseMemory memory("rows, threads");
  const Tensor x = memory.normal("x", {513, 1100}), weight = memory.normal("weight", {70, 1100}, 1.0, DType::bf16);
  const Tensor alone = memory.output("alone", {513, 70}), y = memory.output("y", {513, 70});
  Exec exec;
  with_each_instruction_set([&](const std::string& set) {
    for (int64_t r = 0; r < 513; ++r)
      linear(exec, {.x = x.slice(r, r + 1), .weight = weight, .y = alone.slice(r, r + 1)});
    for (const int64_t count : {1, 2, 3, 4}) {
      const testing::Threads threads(count);
      for (const int64_t rows : {1, 2, 16, 17, 40, 200, 513}) {
        linear(exec, {.x = x.slice(0, rows), .weight = weight, .y = y.slice(0, rows)});
        const auto result = compare_bits("y", y.slice(0, rows), alone.slice(0, rows));
        ASSERT_TRUE(result.passed()) << set << ", " << count << " threads, " << rows << ": " << result.text();
      }
    }
  });
}

// Gradients of any number of threads.
TEST(Linear, GradientsDoNotDependOnTheThreads) {
  CaseMemory memory("gradients");
  const Tensor x = memory.normal("x", {301, 130}), weight = memory.normal("weight", {210, 130});
  const Tensor d_y = memory.normal("d_y", {301, 210});
  Exec exec;
  const auto run = [&](const std::string& name, int64_t count) {
    const testing::Threads threads(count);
    const Tensor d_x = memory.output(name + " d_x", {301, 130}), d_weight = memory.output(name + " d_w", {210, 130});
    fill_zero(d_weight);
    linear_backward(exec, {.d_y = d_y, .x = x, .weight = weight, .d_weight = d_weight, .d_x = d_x});
    return std::pair(d_x, d_weight);
  };
  const auto alone = run("alone", 1);
  for (const int64_t count : {2, 3, 4}) {
    const auto found = run(fmt::format("{} threads", count), count);
    EXPECT_TRUE(compare_bits("d_x", found.first, alone.first).passed()) << count;
    EXPECT_TRUE(compare_bits("d_weight", found.second, alone.second).passed()) << count;
  }
}

// A bf16 weight gives what its f32 copy gives.
TEST(Linear, GradientOfANarrowWeight) {
  CaseMemory memory("narrow");
  const Tensor weight = memory.normal("weight", {1001, 700}, 1.0, DType::bf16), d_y = memory.normal("d_y", {20, 1001});
  const Tensor d_x = memory.normal("d_x", {20, 700}), expected = memory.output("expected", {20, 700});
  for (const Into into : {Into::overwrite, Into::accumulate}) {
    copy(d_x, expected);
    Exec exec;
    const Buffer wide = Buffer::copy_of(weight, DType::f32);
    linear_backward(exec, {.d_y = d_y, .weight = wide, .d_x = expected, .into = into});
    linear_backward(exec, {.d_y = d_y, .weight = weight, .d_x = d_x, .into = into});
    const auto result = compare_bits("d_x", d_x, expected);
    EXPECT_TRUE(result.passed()) << result.text();
  }
}

// A layer gives the same bits beside others as by itself.
TEST(Linear, LayersOfOneInputAsEachByItself) {
  for (const int64_t rows : {1, 5, 20, 50}) {
    CaseMemory memory(fmt::format("layers of one input, {} rows", rows));
    const Tensor x = memory.normal("x", {rows, 77}), added = memory.normal("added", {rows, 40});
    const Tensor bias = memory.normal("bias", {66});
    Linear alone[5], together[5];
    const int64_t widths[] = {40, 66, 3, 260, 9};
    for (size_t i = 0; i < 5; ++i) {
      const DType dtype = i % 2 ? DType::bf16 : DType::f32;
      alone[i] = {.x = x,
                  .weight = memory.normal(fmt::format("weight {}", i), {widths[i], 77}, 1.0, dtype),
                  .y = memory.output(fmt::format("y {}", i), {rows, widths[i]})};
      together[i] = alone[i];
      together[i].y = memory.output(fmt::format("together {}", i), {rows, widths[i]});
    }
    alone[0].added = together[0].added = added;
    alone[1].bias = together[1].bias = bias;
    Exec exec;
    for (const Linear& layer : alone) linear(exec, layer);
    linear(exec, together);
    for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(compare_bits("y", together[i].y, alone[i].y).passed()) << rows << i;
  }
}

TEST(Linear, GatedAsItsParts) {
  for (const int64_t rows : {1, 5, 20, 50}) {
    CaseMemory memory(fmt::format("gated, {} rows", rows));
    const Tensor x = memory.normal("x", {rows, 64});
    const Tensor gate = memory.normal("gate", {301, 64}, 0.1, DType::bf16);
    const Tensor up = memory.normal("up", {301, 64}, 0.1, DType::bf16);
    const auto output = [&](const char* name) { return memory.output(name, {rows, 301}); };
    const LinearGated op{.gate = {.x = x, .weight = gate, .y = output("g")},
                         .up = {.x = x, .weight = up, .y = output("u")},
                         .product = output("product")};
    const Tensor expected = output("expected");
    Exec exec;
    linear_gated(exec, op);
    silu_multiply(exec, {.gate = op.gate.y, .up = op.up.y, .product = expected});
    EXPECT_TRUE(compare_bits("product", op.product, expected).passed()) << rows;
  }
}

TEST(Linear, NotANumberStaysOne) {
  CaseMemory memory("nan");
  const Tensor x = memory.normal("x", {3, 40}), weight = memory.normal("weight", {9, 40}, 1.0, DType::bf16);
  x.as<float>()[45] = NAN;
  const Tensor y = memory.output("y", {3, 9});
  Exec exec;
  linear(exec, {.x = x, .weight = weight, .y = y});
  for (int64_t o = 0; o < 9; ++o) EXPECT_TRUE(std::isnan(y.as<float>()[9 + o]));
  for (int64_t o = 0; o < 9; ++o) EXPECT_TRUE(std::isfinite(y.as<float>()[o]));
}

TEST(Linear, NothingToDo) {
  Exec exec;
  const Buffer x(DType::f32, {0, 4}), weight = Buffer::zeros(DType::f32, {3, 4}), y(DType::f32, {0, 3});
  const Buffer d_weight = Buffer::zeros(DType::f32, {3, 4});
  linear(exec, {.x = x, .weight = weight, .y = y});
  linear_backward(exec, {.d_y = y, .x = x, .weight = weight, .d_weight = d_weight, .d_x = x});
}

}  // namespace
}  // namespace eyrie
