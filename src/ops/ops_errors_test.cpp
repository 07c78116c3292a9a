// What the operations say about arguments that do not fit.
#include <gtest/gtest.h>

#include <functional>

#include "ops/activation.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/rows.h"

namespace eyrie {
namespace {

std::string error_of(const std::function<void(Exec&)>& call) {
  Exec exec;
  try {
    call(exec);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

Buffer matrix(int64_t rows, int64_t columns) { return Buffer::zeros(DType::f32, {rows, columns}); }

Buffer integers(std::initializer_list<int32_t> values) {
  Buffer made(DType::i32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), made.tensor().as<int32_t>());
  return made;
}

TEST(OpsErrors, Linear) {
  const Buffer x = matrix(2, 4), weight = matrix(3, 5), y = matrix(2, 3), ids = Buffer::zeros(DType::i32, {3, 4});
  EXPECT_EQ(error_of([&](Exec& exec) { linear(exec, {.x = x, .weight = weight, .y = y}); }),
            "weight: expected shape [any, 4], found [3, 5]");
  EXPECT_EQ(error_of([&](Exec& exec) { linear(exec, {.x = x, .weight = ids, .y = y}); }),
            "weight: expected f32 or bf16 or f16, found i32");
  EXPECT_EQ(error_of([&](Exec& exec) { linear_backward(exec, {.d_y = y, .weight = weight, .d_x = x}); }),
            "d_x: expected shape [2, 5], found [2, 4]");
  EXPECT_EQ(error_of([&](Exec& exec) { linear_backward(exec, {.d_y = y, .x = x, .d_weight = weight}); }),
            "d_weight: expected shape [3, 4], found [3, 5]");
}

TEST(OpsErrors, Embedding) {
  const Buffer table = matrix(7, 3), y = matrix(2, 3);
  EXPECT_EQ(error_of([&](Exec& exec) {
              embed(exec, {.table = table, .ids = integers({0, 7}), .y = y});
            }),
            "ids: row 1: expected a token id below 7, found 7");
  EXPECT_EQ(error_of([&](Exec& exec) {
              embed(exec, {.table = table, .ids = integers({-1, 0}), .y = y});
            }),
            "ids: row 0: expected a token id below 7, found -1");
  EXPECT_EQ(error_of([&](Exec& exec) { embed(exec, {.table = table, .ids = integers({6}), .y = y}); }),
            "y: expected shape [1, 3], found [2, 3]");
}

TEST(OpsErrors, Rope) {
  const RopeTable table({1.0, 0.1}, 1, 10);
  const Buffer x = Buffer::zeros(DType::f32, {2, 1, 4}), wide = Buffer::zeros(DType::f32, {2, 1, 6});
  EXPECT_EQ(error_of([&](Exec& exec) {
              apply_rope(exec, {.table = table, .positions = integers({9, 10}), .x = x, .y = x});
            }),
            "positions: row 1: expected a position below 10, found 10");
  EXPECT_EQ(error_of([&](Exec& exec) {
              apply_rope(exec, {.table = table, .positions = integers({-1, 0}), .x = x, .y = x});
            }),
            "positions: row 0: expected a position below 10, found -1");
  EXPECT_EQ(error_of([&](Exec& exec) {
              apply_rope(exec, {.table = table, .positions = integers({0, 1}), .x = wide, .y = wide});
            }),
            "x: expected shape [any, any, 4], found [2, 1, 6]");
}

TEST(OpsErrors, ACpuConvertsNothing) {
  const Buffer f32 = matrix(2, 3), bf16 = Buffer::zeros(DType::bf16, {2, 3});
  EXPECT_EQ(error_of([&](Exec& exec) { convert(exec, {.from = bf16, .to = f32}); }), "from: expected f32, found bf16");
  EXPECT_EQ(error_of([&](Exec& exec) { convert(exec, {.from = f32, .to = bf16}); }), "to: expected f32, found bf16");
}

TEST(OpsErrors, NormAndActivation) {
  const Buffer x = matrix(2, 4), other = matrix(2, 5), weight = Buffer::zeros(DType::f32, {4});
  EXPECT_EQ(error_of([&](Exec& exec) { rms_norm(exec, {.x = other, .weight = weight, .y = other}); }),
            "weight: expected shape [5], found [4]");
  EXPECT_EQ(error_of([&](Exec& exec) { rms_norm(exec, {.x = x, .weight = weight, .y = other}); }),
            "y: expected shape [2, 4], found [2, 5]");
  EXPECT_EQ(error_of([&](Exec& exec) { silu_multiply(exec, {.gate = x, .up = other, .product = x}); }),
            "up: expected shape [2, 4], found [2, 5]");
}

}  // namespace
}  // namespace eyrie
