#include <fmt/core.h>

#include <memory>

#include "attention/attention_cases.h"
#include "attention/paged_problem.h"

namespace eyrie {
namespace {

using testing::CaseList;
using testing::Comparison;
using testing::Workload;

std::vector<PagedShape> paged_shapes() {
  return {
      {{1}, {1}, 1, 1, 32, 16},          {{64, 65, 63, 2}, {1, 1, 1, 1}, 4, 4, 32, 16},
      {{300}, {5}, 8, 2, 64, 16},        {{127, 129, 128}, {16, 1, 7}, 7, 1, 80, 32},
      {{70, 10}, {70, 10}, 8, 1, 96, 8}, {{200}, {130}, 4, 2, 128, 64},
      {{65}, {3}, 2, 2, 256, 1},         {{90}, {4}, 4, 2, 192, 16, 128},
      {{90, 33}, {4, 33}, 3, 3, 20, 16}, {{66}, {66}, 2, 1, 40, 16, 8},
  };
}

std::vector<Comparison> check_paged(Exec& exec, const PagedShape& shape) {
  PagedProblem made(shape.name(), shape);
  const Tensor o = made.output("o", made.rows());
  paged_attention(exec, made.problem, o);
  return made.memory().with_guards({testing::compare("o", o, made.expected())});
}

void add_checks(CaseList& cases) {
  for (const PagedShape& shape : paged_shapes())
    cases.push_back({.name = "paged_attention/" + shape.name(),
                     .check = [=](Exec& exec) { return check_paged(exec, shape); },
                     .grad = {},
                     .bench = {}});
}

Workload paged_work(const PagedShape& shape) {
  const auto made = std::make_shared<PagedProblem>("bench", shape);
  const Tensor o = made->output("o", made->rows());
  double keys = 0;
  for (int64_t row = 0; row < made->rows(); ++row) keys += made->problem.row_position.as<int32_t>()[row] + 1;
  const double width = static_cast<double>(made->problem.q.dim(2) + made->problem.cache.v.dim(3));
  return {.flops = 2 * keys * shape.q_heads * width,
          .call = [=](Exec& exec) { paged_attention(exec, made->problem, o); }};
}

void add_benches(CaseList& cases) {
  const std::vector<PagedShape> shapes = {{{300}, {1}, 4, 2, 64, 16},    {{300}, {5}, 4, 2, 64, 16},
                                          {{300}, {1}, 8, 4, 32, 16},    {{1000}, {1}, 32, 8, 128, 16},
                                          {{1000}, {5}, 32, 8, 128, 16}, {{512}, {512}, 8, 2, 64, 16}};
  for (const PagedShape& shape : shapes)
    cases.push_back({.name = "paged_attention/" + shape.name(), .check = {}, .grad = {}, .bench = [=](Exec&) {
                       return paged_work(shape);
                     }});
}

}  // namespace

void add_paged_attention_cases(CaseList& cases) {
  add_checks(cases);
  add_benches(cases);
}

}  // namespace eyrie
