#include <fmt/core.h>

#include <memory>

#include "ops/activation.h"
#include "ops/activation_reference.h"
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
  double deviation = 1;                                             // of the gate: 40 leaves the range of exp
  enum Where { apart, over_d_product, over_inputs } where = apart;  // the gradients: d_gate, or d_gate and d_up
  std::string name() const {
    constexpr const char* kWhere[] = {"", "/in-place", "/over inputs"};
    return fmt::format("{}x{}/{}{}", rows, width, deviation, kWhere[where]);
  }
};

struct Tensors {
  Tensors(const Problem& p, const Exec& exec) : memory("activation/" + p.name(), exec) {
    const Shape shape = {p.rows, p.width};
    gate = memory.normal("gate", shape, p.deviation);
    up = memory.normal("up", shape);
    product = memory.output("product", shape);
    d_product = memory.normal("d_product", shape);
    d_up = p.where == Problem::over_inputs ? up : memory.output("d_up", shape);
    d_gate = p.where == Problem::over_inputs      ? gate
             : p.where == Problem::over_d_product ? d_product
                                                  : memory.output("d_gate", shape);
  }
  CaseMemory memory;
  Tensor gate, up, product, d_product, d_gate, d_up;
};

std::vector<Comparison> check(Exec& exec, const Problem& p) {
  const Tensors t(p, exec);
  silu_multiply(exec, {.gate = t.gate, .up = t.up, .product = t.product});
  return t.memory.with_guards(
      {testing::compare("product", t.product, silu_multiply_reference(to_doubles(t.gate), to_doubles(t.up)),
                        testing::tolerance_of(t.product.dtype))});
}

std::vector<Comparison> check_gradient(Exec& exec, const Problem& p) {
  const Tensors t(p, exec);
  const ComplexInputs inputs = {to_complex(to_doubles(t.gate)), to_complex(to_doubles(t.up))};
  const auto gradient = [&](size_t which) {
    return testing::complex_step_gradient([](const ComplexInputs& in) { return silu_multiply_reference(in[0], in[1]); },
                                          inputs, which, to_doubles(t.d_product));
  };
  const std::vector<double> d_gate = gradient(0), d_up = gradient(1);
  silu_multiply_backward(exec,
                         {.gate = t.gate, .up = t.up, .d_product = t.d_product, .d_gate = t.d_gate, .d_up = t.d_up});
  const testing::Tolerance tolerance = testing::tolerance_of(t.d_gate.dtype);
  return t.memory.with_guards(
      {testing::compare("d_gate", t.d_gate, d_gate, tolerance), testing::compare("d_up", t.d_up, d_up, tolerance)});
}

Workload step_work(Exec& for_exec, int64_t rows,
                   int64_t width) {  // reads gate and up twice and d_product, writes three
  const auto t = std::make_shared<Tensors>(Problem{rows, width}, for_exec);
  return {.bytes = 8.0 * static_cast<double>(t->gate.bytes()),
          .call =
              [=](Exec& exec) {
                silu_multiply(exec, {.gate = t->gate, .up = t->up, .product = t->product});
                silu_multiply_backward(
                    exec,
                    {.gate = t->gate, .up = t->up, .d_product = t->d_product, .d_gate = t->d_gate, .d_up = t->d_up});
              },
          .kernels = for_exec.device == Device::cuda};
}

}  // namespace

void add_activation_cases(CaseList& cases) {
  const Problem problems[] = {{1, 1},
                              {3, 7},
                              {5, 16, 1, Problem::over_d_product},
                              {2, 255, 40},
                              {9, 33, 5, Problem::over_d_product},
                              {9, 40, 1, Problem::over_inputs},
                              {1, 2060},
                              {0, 8}};
  for (const Problem& p : problems)
    testing::add_on_every_device(cases, {"activation/" + p.name(),
                                         [=](Exec& exec) { return check(exec, p); },
                                         [=](Exec& exec) { return check_gradient(exec, p); },
                                         {}});
  testing::add_on_every_device(
      cases, {"activation/2048x640 and gradient", {}, {}, [](Exec& exec) { return step_work(exec, 2048, 640); }});
}

}  // namespace eyrie
