#include "ops/linear.h"

#include <gtest/gtest.h>

#include "testing/poison.h"

namespace eyrie {
namespace {

using testing::CaseMemory;

std::vector<double> product(const ConstTensor& x, const ConstTensor& w, const ConstTensor& bias) {
  const auto a = testing::to_doubles(x), b = testing::to_doubles(w);
  const auto c = bias.defined() ? testing::to_doubles(bias) : std::vector<double>(static_cast<size_t>(w.dim(0)));
  const auto rows = static_cast<size_t>(x.dim(0)), in = static_cast<size_t>(x.dim(1)),
             out = static_cast<size_t>(w.dim(0));
  std::vector<double> y(rows * out);
  for (size_t r = 0; r < rows; ++r)
    for (size_t o = 0; o < out; ++o) {
      y[r * out + o] = c[o];
      for (size_t i = 0; i < in; ++i) y[r * out + o] += a[r * in + i] * b[o * in + i];
    }
  return y;
}

TEST(Linear, MatchesDouble) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const int64_t rows : {1, 5, 16, 17, 40})
      for (const int64_t in : {1, 7, 255, 640}) {
        CaseMemory memory("linear");
        const Tensor x = memory.normal("x", {rows, in}), w = memory.normal("w", {101, in}, 1.0, dtype);
        const Tensor bias = memory.normal("bias", {101}), y = memory.output("y", {rows, 101});
        Exec exec;
        linear(exec, x, w, bias, y);
        const auto result = testing::compare("y", y, product(x, w, bias));
        EXPECT_TRUE(result.passed()) << result.text();
      }
}

}  // namespace
}  // namespace eyrie
