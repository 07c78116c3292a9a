#include <fmt/core.h>

#include <memory>

#include "ops/norm.h"
#include "ops/norm_reference.h"
#include "ops/ops_cases.h"
#include "testing/complex_step.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

using testing::CaseList;
using testing::CaseMemory;
using testing::Comparison;
using testing::ComplexInputs;
using testing::to_complex;
using testing::to_doubles;
using testing::Workload;

struct Problem {
  int64_t rows, width;
  bool strided = false, in_place = false;
  bool added = false, added_in_place = false;
  float eps = 1e-5f;
  std::string name() const {
    return fmt::format("{}x{}{}{}{}", rows, width, strided ? "/strided" : "", in_place ? "/in-place" : "",
                       added_in_place ? "/added-in-place"
                       : added        ? "/added"
                                      : "");
  }
};

// Strided matrices are the left columns of wider ones.
Tensor left_columns(Tensor wide, int64_t width) {
  wide.shape.dims[1] = width;
  return wide;
}

struct Tensors {
  Tensors(const Problem& p, const Exec& exec) : memory("norm/" + p.name(), exec) {
    const Shape wide = {p.rows, p.width + (!p.strided ? 0 : p.width % 8 == 0 ? 8 : 5)};
    x = left_columns(memory.normal("x", wide), p.width);
    weight = memory.normal("weight", {p.width});
    y = p.in_place ? x : left_columns(memory.output("y", wide), p.width);
    d_y = left_columns(memory.normal("d_y", wide), p.width);
    d_x = p.in_place ? d_y : left_columns(memory.output("d_x", wide), p.width);
    if (p.added) added = left_columns(memory.normal("added", wide), p.width);
    if (p.added_in_place) d_x = added;
    d_weight = memory.normal("d_weight", {p.width}, 1.0, DType::f32);
  }
  RmsNormBackward backward(const Problem& p) const {
    return {.x = x, .weight = weight, .eps = p.eps, .d_y = d_y, .added = added, .d_x = d_x, .d_weight = d_weight};
  }
  CaseMemory memory;
  Tensor x, weight, y, d_y, added, d_x, d_weight;
};

std::vector<Comparison> check(Exec& exec, const Problem& p) {
  const Tensors t(p, exec);
  const std::vector<double> expected = rms_norm_reference(to_doubles(t.x), to_doubles(t.weight), p.eps);
  rms_norm(exec, {.x = t.x, .weight = t.weight, .eps = p.eps, .y = t.y});
  return t.memory.with_guards({testing::compare("y", t.y, expected, testing::tolerance_of(t.y.dtype))});
}

std::vector<Comparison> check_gradient(Exec& exec, const Problem& p) {
  const Tensors t(p, exec);
  const ComplexInputs inputs = {to_complex(to_doubles(t.x)), to_complex(to_doubles(t.weight))};
  const auto reference = [&](const ComplexInputs& in) { return rms_norm_reference(in[0], in[1], p.eps); };
  std::vector<double> d_x = testing::complex_step_gradient(reference, inputs, 0, to_doubles(t.d_y));
  std::vector<double> d_weight = testing::complex_step_gradient(reference, inputs, 1, to_doubles(t.d_y));
  const std::vector<double> weight_before = to_doubles(t.d_weight);
  const std::vector<double> added = p.added ? to_doubles(t.added) : std::vector<double>(d_x.size());
  for (size_t i = 0; i < d_x.size(); ++i) d_x[i] += added[i];
  for (size_t i = 0; i < d_weight.size(); ++i) d_weight[i] += weight_before[i];
  rms_norm_backward(exec, t.backward(p));
  return t.memory.with_guards({testing::compare("d_x", t.d_x, d_x, testing::tolerance_of(t.d_x.dtype)),
                               testing::compare("d_weight", t.d_weight, d_weight)});
}

Workload step_work(Exec& for_exec, int64_t rows, int64_t width) {  // reads x twice and d_y, writes y and d_x
  const Problem p = {rows, width};
  const auto t = std::make_shared<Tensors>(p, for_exec);
  return {.bytes = 5.0 * static_cast<double>(t->x.bytes()),
          .call =
              [=](Exec& exec) {
                rms_norm(exec, {.x = t->x, .weight = t->weight, .eps = p.eps, .y = t->y});
                rms_norm_backward(exec, t->backward(p));
              },
          .kernels = for_exec.device == Device::cuda};
}

}  // namespace

void add_norm_cases(CaseList& cases) {
  const Problem problems[] = {{1, 3},
                              {3, 7, true},
                              {5, 64, false, true},
                              {70, 33, true, false, true},
                              {130, 16, false, false, true, true},
                              {2, 255},
                              {2, 40, false, false, false, false, 0.5f},
                              {3, 1101, true, false, true},
                              {5, 520, true, false, true, true},
                              {2, 2056, false, true},
                              {1, 4104, true},
                              {0, 8}};
  for (const Problem& p : problems)
    testing::add_on_every_device(cases, {"norm/" + p.name(),
                                         [=](Exec& exec) { return check(exec, p); },
                                         [=](Exec& exec) { return check_gradient(exec, p); },
                                         {}});
  testing::add_on_every_device(
      cases, {"norm/2048x256 and gradient", {}, {}, [](Exec& exec) { return step_work(exec, 2048, 256); }});
}

}  // namespace eyrie
