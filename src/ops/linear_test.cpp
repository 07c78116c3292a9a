#include "ops/linear.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

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
class FewRows : public ::testing::TestWithParam<Sizes> {};

// Row r of any batch of up to kGemvRows rows, on any number of threads, has the bits of row r alone.
TEST_P(FewRows, ARowDoesNotDependOnTheOthers) {
  const auto [in, out] = GetParam();
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    CaseMemory memory("few rows");
    const Tensor x = memory.normal("x", {kGemvRows, in}), weight = memory.normal("weight", {out, in}, 1.0, dtype);
    const Tensor bias = memory.normal("bias", {out});
    Exec exec;
    const Tensor alone = memory.output("alone", {kGemvRows, out});
    for (int64_t r = 0; r < kGemvRows; ++r) linear(exec, x.slice(r, r + 1), {weight, bias, alone.slice(r, r + 1)});
    for (int64_t rows = 1; rows <= kGemvRows; ++rows) {
      const testing::Threads threads(1 + static_cast<int>(rows % 3));
      const int64_t first = kGemvRows - rows;
      const Tensor y = memory.output("y", {rows, out});
      linear(exec, x.slice(first, kGemvRows), {weight, bias, y});
      const auto result = compare_bits("y", y, alone.slice(first, kGemvRows));
      ASSERT_TRUE(result.passed()) << rows << " rows, " << name(dtype) << ": " << result.text();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FewRows,
                         ::testing::Values(Sizes{1, 1}, Sizes{7, 3}, Sizes{255, 1001}, Sizes{640, 1001}, Sizes{640, 3},
                                           Sizes{31, 6}, Sizes{2048, 65}, Sizes{2101, 67}));

// Training: the same bits again at the same number of threads.
TEST(Linear, ManyRowsRepeat) {
  CaseMemory memory("repeat");
  const Tensor x = memory.normal("x", {100, 65}), weight = memory.normal("weight", {130, 65}, 1.0, DType::bf16);
  const Tensor first = memory.output("first", {100, 130}), second = memory.output("second", {100, 130});
  Exec exec;
  linear(exec, x, {.weight = weight, .y = first});
  linear(exec, x, {.weight = weight, .y = second});
  EXPECT_TRUE(compare_bits("y", second, first).passed());
}

// A weight of several panels: widened part by part, it gives what its f32 copy gives in one product.
TEST(Linear, PanelsOfAWidenedWeight) {
  CaseMemory memory("panels");
  const Tensor weight = memory.normal("weight", {1001, 700}, 1.0, DType::bf16), d_y = memory.normal("d_y", {20, 1001});
  const Tensor d_x = memory.normal("d_x", {20, 700}), expected = memory.output("expected", {20, 700});
  for (const Into into : {Into::overwrite, Into::accumulate}) {
    copy(d_x, expected);
    Exec exec;
    linear_backward_input(exec, d_y, Buffer::copy_of(weight, DType::f32), expected, into);
    linear_backward_input(exec, d_y, weight, d_x, into);
    const auto result = testing::compare("d_x", d_x, expected);
    EXPECT_TRUE(result.passed()) << result.text();
  }
}

void with_crew_for(Exec& exec, int64_t rows, const std::function<void()>& body) {
  if (rows > kGemvRows) return body();
  with_crew(exec, body);
}

// A few rows with a crew and without, and many: a layer gives the same bits beside others as by itself.
TEST(Linear, LayersOfOneInputAsEachByItself) {
  for (const int64_t rows : {1, 5, 20}) {
    CaseMemory memory(fmt::format("layers of one input, {} rows", rows));
    const Tensor x = memory.normal("x", {rows, 77}), added = memory.normal("added", {rows, 40});
    const Tensor bias = memory.normal("bias", {66});
    LinearLayer alone[5], together[5];
    const int64_t widths[] = {40, 66, 3, 260, 9};
    for (size_t i = 0; i < 5; ++i) {
      const DType dtype = i % 2 ? DType::bf16 : DType::f32;
      alone[i] = {memory.normal(fmt::format("weight {}", i), {widths[i], 77}, 1.0, dtype),
                  {},
                  memory.output(fmt::format("y {}", i), {rows, widths[i]})};
      together[i] = alone[i];
      together[i].y = memory.output(fmt::format("together {}", i), {rows, widths[i]});
    }
    alone[0].added = together[0].added = added;
    alone[1].bias = together[1].bias = bias;
    Exec exec;
    for (const LinearLayer& layer : alone) linear(exec, x, layer);
    with_crew_for(exec, rows, [&] { linear(exec, x, together); });
    for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(compare_bits("y", together[i].y, alone[i].y).passed()) << rows << i;
  }
}

// OpenBLAS would have one thread there, and with it other bits.
TEST(Linear, ManyRowsAreRefusedInsideACrew) {
  const testing::Threads threads(2);
  const int64_t rows = kGemvRows + 1;
  const Buffer x = Buffer::zeros(DType::f32, {rows, 4}), y = Buffer::zeros(DType::f32, {rows, 3});
  const Buffer weight = Buffer::zeros(DType::f32, {3, 4});
  Exec exec;
  const auto refused = [&](const std::function<void()>& product) {
    product();
    EXPECT_THROW(with_crew(exec, product), Error);
  };
  refused([&] { linear(exec, x, {.weight = weight, .y = y}); });
  refused([&] { linear_backward_input(exec, y, weight, x, Into::overwrite); });
  refused([&] { linear_backward_weight(exec, y, x, weight, {}); });
  with_crew(exec, [&] { linear(exec, x.tensor().slice(1, rows), {.weight = weight, .y = y.tensor().slice(1, rows)}); });
}

TEST(Linear, GatedAsItsParts) {
  for (const int64_t rows : {1, 5, 20}) {
    CaseMemory memory(fmt::format("gated, {} rows", rows));
    const Tensor x = memory.normal("x", {rows, 64});
    const Tensor gate = memory.normal("gate", {301, 64}, 0.1, DType::bf16);
    const Tensor up = memory.normal("up", {301, 64}, 0.1, DType::bf16);
    const auto output = [&](const char* name) { return memory.output(name, {rows, 301}); };
    const LinearLayer gates{.weight = gate, .y = output("g")}, ups{.weight = up, .y = output("u")};
    const Tensor product = output("product"), expected = output("expected");
    Exec exec;
    with_crew_for(exec, rows, [&] { linear_gated(exec, x, gates, ups, product); });
    silu_multiply(exec, gates.y, ups.y, expected);
    EXPECT_TRUE(compare_bits("product", product, expected).passed()) << rows;
  }
}

TEST(Linear, NotANumberStaysOne) {
  CaseMemory memory("nan");
  const Tensor x = memory.normal("x", {3, 40}), weight = memory.normal("weight", {9, 40}, 1.0, DType::bf16);
  x.as<float>()[45] = NAN;
  const Tensor y = memory.output("y", {3, 9});
  Exec exec;
  linear(exec, x, {.weight = weight, .y = y});
  for (int64_t o = 0; o < 9; ++o) EXPECT_TRUE(std::isnan(y.as<float>()[9 + o]));
  for (int64_t o = 0; o < 9; ++o) EXPECT_TRUE(std::isfinite(y.as<float>()[o]));
}

TEST(Linear, NothingToDo) {
  Exec exec;
  const Buffer x(DType::f32, {0, 4}), weight = Buffer::zeros(DType::f32, {3, 4}), y(DType::f32, {0, 3});
  const Buffer d_weight = Buffer::zeros(DType::f32, {3, 4});
  linear(exec, x, {.weight = weight, .y = y});
  linear_backward_input(exec, y, weight, x, Into::overwrite);
  linear_backward_weight(exec, y, x, d_weight, {});
}

}  // namespace
}  // namespace eyrie
