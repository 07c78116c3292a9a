// Tensors of more than 2^31 elements: what their first and last rows become is what these rows become by themselves.
#include <gtest/gtest.h>

#include "ops/activation.h"
#include "ops/adamw.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/rows.h"
#include "testing/gpu.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

constexpr int64_t kEnds = 3;  // rows at each end
constexpr DType bf16 = DType::bf16;

// Zeros but for normal values in the first and in the last rows, which stand by themselves in `ends`.
struct Large {
  Large(Exec& exec, testing::CaseMemory& memory, std::string_view name, const Shape& shape, DType dtype)
      : all(dtype, shape, Device::cuda) {
    Shape part = shape;
    part.dims[0] = 2 * kEnds;
    ends = memory.normal(name, part, 1.0, dtype);
    zero(exec, all);
    copy(exec, ends.slice(0, kEnds), first());
    copy(exec, ends.slice(kEnds, 2 * kEnds), last());
  }
  Tensor first() const { return all.tensor().slice(0, kEnds); }
  Tensor last() const { return all.tensor().slice(all.tensor().dim(0) - kEnds, all.tensor().dim(0)); }
  void expect_ends(std::string_view name) const {
    for (const auto& result : {testing::compare_bits(name, first(), ends.slice(0, kEnds)),
                               testing::compare_bits(name, last(), ends.slice(kEnds, 2 * kEnds))})
      EXPECT_TRUE(result.passed()) << result.text();
  }
  Buffer all;
  Tensor ends;
};

class GpuLarge : public testing::GpuTest {};

TEST_F(GpuLarge, Activation) {
  Exec exec(Device::cuda, bf16);
  testing::CaseMemory memory("large activation", exec);
  const Shape shape = {150'000, 14'336};
  const Large gate(exec, memory, "gate", shape, bf16), up(exec, memory, "up", shape, bf16);
  const Large product(exec, memory, "product", shape, bf16);
  silu_multiply(exec, {.gate = gate.all, .up = up.all, .product = product.all});
  silu_multiply(exec, {.gate = gate.ends, .up = up.ends, .product = product.ends});
  product.expect_ends("product");
  for (const bool all : {true, false}) {
    const auto of = [&](const Large& one) { return all ? one.all.tensor() : one.ends; };
    silu_multiply_backward(
        exec, {.gate = of(gate), .up = of(up), .d_product = of(product), .d_gate = of(gate), .d_up = of(up)});
  }
  gate.expect_ends("d_gate");
  up.expect_ends("d_up");
}

TEST_F(GpuLarge, Norm) {
  Exec exec(Device::cuda, bf16);
  testing::CaseMemory memory("large norm", exec);
  for (const Shape& shape : {Shape{540'000, 4'000}, Shape{17'000'000, 128}}) {
    const Tensor weight = memory.normal("weight", {shape[1]});
    const Tensor d_weight = memory.zeros("d_weight", {shape[1]}), by_ends = memory.zeros("by_ends", {shape[1]});
    const Large x(exec, memory, "x", shape, bf16), y(exec, memory, "y", shape, bf16);
    rms_norm(exec, {.x = x.all, .weight = weight, .eps = 1e-5f, .y = y.all});
    rms_norm(exec, {.x = x.ends, .weight = weight, .eps = 1e-5f, .y = y.ends});
    y.expect_ends("y");
    for (const bool all : {true, false}) {
      const auto of = [&](const Large& one) { return all ? one.all.tensor() : one.ends; };
      rms_norm_backward(exec, {.x = of(x),
                               .weight = weight,
                               .eps = 1e-5f,
                               .d_y = of(y),
                               .added = of(x),
                               .d_x = of(y),
                               .d_weight = all ? d_weight : by_ends});
    }
    y.expect_ends("d_x");
    const auto sums = testing::compare("d_weight", d_weight, by_ends);  // the other rows are zeros
    EXPECT_TRUE(sums.passed()) << sums.text();
  }
}

TEST_F(GpuLarge, Rope) {
  Exec exec(Device::cuda, bf16);
  testing::CaseMemory memory("large rope", exec);
  const int64_t rows = 530'000;
  const RopeTable table(std::vector<double>(64, 0.1), 1, rows);
  std::vector<int32_t> positions(static_cast<size_t>(rows)), at_ends;
  for (int64_t r = 0; r < rows; ++r) {
    positions[static_cast<size_t>(r)] = static_cast<int32_t>(r);
    if (r < kEnds || r >= rows - kEnds) at_ends.push_back(static_cast<int32_t>(r));
  }
  const Large x(exec, memory, "x", {rows, 32, 128}, bf16);
  const Tensor list = memory.integers("positions", positions), short_list = memory.integers("at ends", at_ends);
  apply_rope(exec, {.table = table, .positions = list, .x = x.all, .y = x.all});
  apply_rope(exec, {.table = table, .positions = short_list, .x = x.ends, .y = x.ends});
  x.expect_ends("x");
}

TEST_F(GpuLarge, RowsSumsAndConversions) {
  Exec exec(Device::cuda, bf16);
  testing::CaseMemory memory("large rows", exec);
  const Shape shape = {2'200'000, 1'024};
  std::vector<int32_t> backwards(static_cast<size_t>(shape[0]));
  for (int64_t i = 0; i < shape[0]; ++i) backwards[static_cast<size_t>(i)] = static_cast<int32_t>(shape[0] - 1 - i);
  const Tensor index = memory.integers("index", backwards);
  const Large from(exec, memory, "from", shape, bf16), to(exec, memory, "to", shape, bf16);
  gather_rows(exec, {.from = from.all, .index = index, .to = to.all});
  for (int64_t i = 0; i < kEnds; ++i) {
    copy(exec, from.ends[2 * kEnds - 1 - i], to.ends[i]);
    copy(exec, from.ends[kEnds - 1 - i], to.ends[kEnds + i]);
  }
  to.expect_ends("gathered");
  scatter_rows(exec, {.from = to.all, .index = index, .to = from.all});
  from.expect_ends("scattered");
  add(exec, {.from = from.all, .to = to.all});
  add(exec, {.from = from.ends, .to = to.ends});
  to.expect_ends("added");
  const Large wide(exec, memory, "wide", shape, DType::f32);
  convert(exec, {.from = to.all, .to = wide.all});
  convert(exec, {.from = to.ends, .to = wide.ends});
  wide.expect_ends("converted");
  const double sum = sum_of_squares(exec, wide.ends);
  EXPECT_NEAR(sum_of_squares(exec, wide.all), sum, 1e-12 * sum);
}

TEST_F(GpuLarge, AdamW) {
  Exec exec(Device::cuda, bf16);
  testing::CaseMemory memory("large adamw", exec);
  const Shape shape = {540'000, 4'000};
  const Large weight(exec, memory, "weight", shape, DType::f32), gradient(exec, memory, "gradient", shape, DType::f32);
  const Large first(exec, memory, "first", shape, DType::f32), second(exec, memory, "second", shape, DType::f32);
  const Large working(exec, memory, "working", shape, bf16);
  for (const Large* moment : {&first, &second}) zero(exec, moment->all), zero(exec, moment->ends);
  for (const bool all : {true, false}) {
    const auto of = [&](const Large& one) { return all ? one.all.tensor() : one.ends; };
    AdamW op;
    op.weight = of(weight), op.gradient = of(gradient), op.working = of(working);
    op.first_moment = of(first), op.second_moment = of(second), op.learning_rate = 0.01;
    adamw(exec, op);
  }
  weight.expect_ends("weight");
  second.expect_ends("second");
  working.expect_ends("working");
}

}  // namespace
}  // namespace eyrie
