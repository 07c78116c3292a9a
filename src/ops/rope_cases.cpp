#include <fmt/core.h>

#include <cmath>

#include "ops/ops_cases.h"
#include "ops/rope.h"
#include "ops/rope_reference.h"
#include "testing/complex_step.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

using testing::CaseList;
using testing::CaseMemory;
using testing::Comparison;
using testing::Complex;
using testing::ComplexInputs;
using testing::to_complex;
using testing::to_doubles;

constexpr int64_t kPositions = 500;

struct Problem {
  int64_t rows, heads, dim;
  double scale = 1;
  bool apart = false;  // y is not x
  std::string name() const { return fmt::format("{}x{}x{}/{}{}", rows, heads, dim, scale, apart ? "/apart" : ""); }
};

std::vector<double> frequencies(int64_t dim) {
  std::vector<double> list;
  for (int64_t i = 0; i < dim; i += 2)
    list.push_back(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(dim)));
  return list;
}

std::vector<int32_t> positions(const Problem& p) {  // any order, repeated, the last one too
  RandomStream random("rope/" + p.name());
  std::vector<int32_t> list = {kPositions - 1};
  while (static_cast<int64_t>(list.size()) < p.rows) list.push_back(static_cast<int32_t>(random.below(kPositions)));
  return list;
}

std::vector<Comparison> turn_and_compare(Exec& exec, const Problem& p, Turn turn) {
  CaseMemory memory("rope/" + p.name(), exec);
  // Apart, as gradients of keys come: f32, and turned into activations.
  const Tensor x = memory.normal("x", {p.rows, p.heads, p.dim}, 1.0, p.apart ? DType::f32 : exec.activations);
  const Tensor y = p.apart ? memory.output("y", x.shape) : x;
  const RopeTable table(frequencies(p.dim), p.scale, kPositions);
  const std::vector<double> before = to_doubles(x);
  const auto reference = [&](const auto& values) {
    return rope_reference(values, positions(p), frequencies(p.dim), p.scale);
  };
  const std::vector<double> expected =
      turn == Turn::forward ? reference(before)
                            : testing::complex_step_gradient([&](const ComplexInputs& in) { return reference(in[0]); },
                                                             {std::vector<Complex>(before.size())}, 0, before);
  const Tensor list = memory.integers("positions", positions(p));
  apply_rope(exec, {.table = table, .positions = list, .x = x, .y = y, .turn = turn});
  return memory.with_guards(
      {testing::compare(turn == Turn::forward ? "y" : "d_x", y, expected, testing::tolerance_of(y.dtype))});
}

}  // namespace

void add_rope_cases(CaseList& cases) {
  const Problem problems[] = {{1, 1, 2}, {5, 3, 32, 1, true}, {5, 3, 32}, {17, 2, 80, 1.25},
                              {3, 1, 6}, {9, 2, 6, 1, true},  {3, 1, 256}};
  for (const Problem& p : problems)
    testing::add_on_every_device(cases, {"rope/" + p.name(),
                                         [=](Exec& exec) { return turn_and_compare(exec, p, Turn::forward); },
                                         [=](Exec& exec) { return turn_and_compare(exec, p, Turn::backward); },
                                         {}});
}

}  // namespace eyrie
