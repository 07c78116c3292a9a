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
  double deviation = 1;   // of the gate: 40 leaves the range of exp
  bool in_place = false;  // d_gate stands where d_product stood
  std::string name() const { return fmt::format("{}x{}/{}{}", rows, width, deviation, in_place ? "/in-place" : ""); }
};

struct Tensors {
  Tensors(const Problem& p, Device device) : memory("activation/" + p.name(), device) {
    const Shape shape = {p.rows, p.width};
    gate = memory.normal("gate", shape, p.deviation);
    up = memory.normal("up", shape);
    product = memory.output("product", shape);
    d_product = memory.normal("d_product", shape);
    d_up = memory.output("d_up", shape);
    d_gate = p.in_place ? d_product : memory.output("d_gate", shape);
  }
  CaseMemory memory;
  Tensor gate, up, product, d_product, d_gate, d_up;
};

std::vector<Comparison> check(Exec& exec, const Problem& p) {
  const Tensors t(p, exec.device);
  silu_multiply(exec, {.gate = t.gate, .up = t.up, .product = t.product});
  return t.memory.with_guards(
      {testing::compare("product", t.product, silu_multiply_reference(to_doubles(t.gate), to_doubles(t.up)))});
}

std::vector<Comparison> check_gradient(Exec& exec, const Problem& p) {
  const Tensors t(p, exec.device);
  const ComplexInputs inputs = {to_complex(to_doubles(t.gate)), to_complex(to_doubles(t.up))};
  const auto gradient = [&](size_t which) {
    return testing::complex_step_gradient([](const ComplexInputs& in) { return silu_multiply_reference(in[0], in[1]); },
                                          inputs, which, to_doubles(t.d_product));
  };
  const std::vector<double> d_gate = gradient(0), d_up = gradient(1);
  silu_multiply_backward(exec,
                         {.gate = t.gate, .up = t.up, .d_product = t.d_product, .d_gate = t.d_gate, .d_up = t.d_up});
  return t.memory.with_guards({testing::compare("d_gate", t.d_gate, d_gate), testing::compare("d_up", t.d_up, d_up)});
}

Workload step_work(Device device, int64_t rows, int64_t width) {  // reads gate and up twice and d_product, writes three
  const auto t = std::make_shared<Tensors>(Problem{rows, width}, device);
  return {.bytes = 32.0 * static_cast<double>(rows * width), .call = [=](Exec& exec) {
            silu_multiply(exec, {.gate = t->gate, .up = t->up, .product = t->product});
            silu_multiply_backward(
                exec, {.gate = t->gate, .up = t->up, .d_product = t->d_product, .d_gate = t->d_gate, .d_up = t->d_up});
          }};
}

}  // namespace

void add_activation_cases(CaseList& cases) {
  const Problem problems[] = {{1, 1}, {3, 7}, {5, 16, 1, true}, {2, 255, 40}, {9, 33, 5, true}};
  for (const Problem& p : problems)
    cases.push_back({"activation/" + p.name(),
                     [=](Exec& exec) { return check(exec, p); },
                     [=](Exec& exec) { return check_gradient(exec, p); },
                     {}});
  cases.push_back(
      {"activation/2048x640 and gradient", {}, {}, [](Exec& exec) { return step_work(exec.device, 2048, 640); }});
}

}  // namespace eyrie
