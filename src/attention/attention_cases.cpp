#include "attention/attention_cases.h"

#include <fmt/core.h>

#include <memory>

#include "attention/paged_problem.h"
#include "attention/suffix_problem.h"

namespace eyrie {
namespace {

using testing::Case;
using testing::CaseList;
using testing::Comparison;
using testing::Workload;
using Complex = std::complex<double>;
using Reference = SuffixAttentionReference<Complex>;

const std::vector<SuffixShape>& checked_shapes() {
  using enum RowChoice;
  static const std::vector<SuffixShape> kShapes = {
      {{1, 2, 5}, 4, 2, 32, 2},
      {{}, 2, 1, 32, 1},
      {{1}, 2, 2, 64, 1},
      {{1, 2, 63}, 2, 2, 32, 0},
      {{64, 1, 65, 2}, 8, 2, 64, 3},
      {{63, 2, 129}, 7, 1, 80, 1, every_third},
      {{65, 2}, 8, 1, 96, 8},
      {{127, 1, 2, 128}, 4, 1, 128, 2, last_half},
      {{2, 129}, 1, 1, 256, 4},
      {{130}, 2, 2, 32, 16},
      {{33, 70}, 4, 2, 64, 2, last_half, 32},
      {{40}, 2, 1, 192, 2, all, 128},
      {{50, 50}, 4, 2, 64, 2, all, 0, true},
      {{300, 2, 200}, 2, 1, 64, 5, every_third},
      {{3, 5}, 80, 1, 16, 1},
  };
  return kShapes;
}

std::vector<Comparison> check_forward(Exec& exec, AttentionBackend backend, const SuffixShape& shape) {
  SuffixProblem made(shape.name(), shape);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  forward(exec, backend, made.problem, o, lse);
  auto expected = made.reference<double>();
  expected.forward();
  return made.memory().with_guards({testing::compare("o", o, expected.o), testing::compare("lse", lse, expected.lse)});
}

// What one gradient belongs to: its input in the reference, its tensor, and the values that it was added to.
struct Gradient {
  const char* name;
  std::vector<Complex> Reference::*input;
  ConstTensor found, start;
};

std::vector<Gradient> gradients_of(const SuffixAttentionBackward& found, const SuffixAttentionBackward& start) {
  std::vector<Gradient> list = {{"d_q", &Reference::q, found.d_q, {}},
                                {"d_prefix_k", &Reference::prefix_k, found.d_prefix_k, start.d_prefix_k},
                                {"d_prefix_v", &Reference::prefix_v, found.d_prefix_v, start.d_prefix_v}};
  if (!found.d_suffix_k.defined()) return list;
  list.push_back({"d_suffix_k", &Reference::suffix_k, found.d_suffix_k, start.d_suffix_k});
  list.push_back({"d_suffix_v", &Reference::suffix_v, found.d_suffix_v, start.d_suffix_v});
  return list;
}

// The derivative of sum(d_o o) along `direction`, which moves one input of the reference.
double derivative(Reference& reference, std::vector<Complex> Reference::*input, const std::vector<double>& d_o,
                  const std::vector<double>& direction) {
  constexpr double kStep = 1e-30;
  const std::vector<Complex> kept = reference.*input;
  for (size_t i = 0; i < direction.size(); ++i)
    if (direction[i] != 0) (reference.*input)[i] += Complex(0, kStep * direction[i]);
  reference.forward();
  reference.*input = kept;
  double sum = 0;
  for (size_t i = 0; i < d_o.size(); ++i) sum += d_o[i] * reference.o[i].imag() / kStep;
  return sum;
}

// Small problems: every element by itself.
Comparison check_elements(Reference& reference, const Gradient& gradient, const std::vector<double>& d_o) {
  std::vector<double> expected = testing::to_doubles(gradient.found);
  for (double& each : expected) each = 0;
  if (gradient.start.defined()) expected = testing::to_doubles(gradient.start);
  std::vector<double> direction(expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    direction[i] = 1;
    if (std::isfinite((reference.*gradient.input)[i].real()))
      expected[i] += derivative(reference, gradient.input, d_o, direction);
    direction[i] = 0;
  }
  return testing::compare(gradient.name, gradient.found, expected);
}

// Larger ones: along a random direction, the error measured against the gradient's own length.
Comparison check_direction(Reference& reference, const Gradient& gradient, const std::vector<double>& d_o) {
  RandomStream stream(gradient.name);
  const std::vector<double> found = testing::to_doubles(gradient.found);
  const std::vector<double> start =
      gradient.start.defined() ? testing::to_doubles(gradient.start) : std::vector<double>(found.size());
  std::vector<double> direction(found.size());
  double along = 0, length2 = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::isfinite((reference.*gradient.input)[i].real())) direction[i] = stream.normal();
    along += direction[i] * (found[i] - start[i]);
    length2 += (found[i] - start[i]) * (found[i] - start[i]);
  }
  const double expected = derivative(reference, gradient.input, d_o, direction);
  Comparison result{.tensor = std::string(gradient.name) + " along a random direction", .found = along};
  result.expected = expected;
  result.relative_l2 = length2 > 0 ? std::abs(along - expected) / std::sqrt(length2) : std::abs(expected);
  return result;
}

constexpr int64_t kFewElements = 1024;  // of q: small enough to differentiate by every element

std::vector<Comparison> check_backward(Exec& exec, AttentionBackend backend, const SuffixShape& shape) {
  SuffixProblem made(shape.name(), shape);
  const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
  forward(exec, backend, made.problem, o, lse);
  const SuffixAttentionBackward found = made.gradients("found", o, lse), start = made.gradients("start", o, lse);
  backward(exec, backend, made.problem, found);

  std::vector<Comparison> results;
  Reference reference = made.reference<Complex>();
  const std::vector<double> d_o = testing::to_doubles(made.d_o);
  const bool small = made.problem.q.elements() <= kFewElements;
  for (const Gradient& gradient : gradients_of(found, start))
    results.push_back(small ? check_elements(reference, gradient, d_o) : check_direction(reference, gradient, d_o));
  if (!small && backend != AttentionBackend::dense) {
    const SuffixAttentionBackward plain = made.gradients("plain", o, lse);
    backward(exec, AttentionBackend::dense, made.problem, plain);
    const std::vector<Gradient> expected = gradients_of(plain, start);
    for (const Gradient& gradient : gradients_of(found, start))
      for (const Gradient& other : expected)
        if (gradient.input == other.input)
          results.push_back(testing::compare(gradient.name, gradient.found, other.found));
  }
  return made.memory().with_guards(std::move(results));
}

void add_checks(CaseList& cases, AttentionBackend backend) {
  for (const SuffixShape& shape : checked_shapes())
    cases.push_back({.name = fmt::format("suffix_attention/{}/{}", name(backend), shape.name()),
                     .check = [=](Exec& exec) { return check_forward(exec, backend, shape); },
                     .grad = [=](Exec& exec) { return check_backward(exec, backend, shape); },
                     .bench = {}});
}

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
  forward(exec, made.problem, o);
  return made.memory().with_guards({testing::compare("o", o, made.expected())});
}

void add_paged_checks(CaseList& cases) {
  for (const PagedShape& shape : paged_shapes())
    cases.push_back({.name = "paged_attention/" + shape.name(),
                     .check = [=](Exec& exec) { return check_paged(exec, shape); },
                     .grad = {},
                     .bench = {}});
}

// Two multiply-adds of `dim` or `value_dim` each for every key that a query lane sees.
double forward_flops(const SuffixAttention& problem) {
  double keys = 0;
  for (int64_t row = 0; row < problem.q.dim(0); ++row)
    keys +=
        problem.token.as<int32_t>()[row] - problem.start.as<int32_t>()[row] + 1 + static_cast<double>(problem.depth());
  return 2 * keys * static_cast<double>(problem.q.dim(1) * (problem.q.dim(2) + problem.prefix_v.dim(2)));
}

Workload forward_work(AttentionBackend backend, const SuffixShape& shape) {
  const auto made = std::make_shared<SuffixProblem>("bench", shape);
  const Tensor o = made->output_o("o"), lse = made->output_lse("lse");
  return {.flops = forward_flops(made->problem),
          .call = [=](Exec& exec) { forward(exec, backend, made->problem, o, lse); }};
}

Workload step_work(AttentionBackend backend, const SuffixShape& shape) {  // forward and backward
  constexpr double kBackwardShare = 2.5;                                  // five products of the forward's two
  const auto made = std::make_shared<SuffixProblem>("bench", shape);
  const Tensor o = made->output_o("o"), lse = made->output_lse("lse");
  const SuffixAttentionBackward grad = made->gradients("grad", o, lse);
  return {.flops = (1 + kBackwardShare) * forward_flops(made->problem), .call = [=](Exec& exec) {
            forward(exec, backend, made->problem, o, lse);
            backward(exec, backend, made->problem, grad);
          }};
}

void add_benches(CaseList& cases, AttentionBackend backend, const SuffixShape& shape) {
  const std::string label = fmt::format("suffix_attention/{}/{}", name(backend), shape.name());
  cases.push_back({.name = label + "/forward", .check = {}, .grad = {}, .bench = [=](Exec&) {
                     return forward_work(backend, shape);
                   }});
  cases.push_back({.name = label + "/forward+backward", .check = {}, .grad = {}, .bench = [=](Exec&) {
                     return step_work(backend, shape);
                   }});
}

void add_suffix_benches(CaseList& cases) {
  using enum AttentionBackend;
  const std::vector<SuffixShape> shapes = {{{2048}, 8, 2, 64, 0},
                                           {{2048}, 8, 2, 64, 6},
                                           {{4096}, 4, 2, 128, 0},
                                           {{2048}, 8, 8, 64, 0},
                                           {{300, 500, 200, 48, 700, 300}, 8, 4, 32, 3, RowChoice::last_half}};
  for (const SuffixShape& shape : shapes) add_benches(cases, fused, shape);
  for (const SuffixShape& shape : shapes)
    if (shape.depth > 0) add_benches(cases, merge, shape);
}

Workload paged_work(const PagedShape& shape) {
  const auto made = std::make_shared<PagedProblem>("bench", shape);
  const Tensor o = made->output("o", made->rows());
  double keys = 0;
  for (int64_t row = 0; row < made->rows(); ++row) keys += made->problem.row_position.as<int32_t>()[row] + 1;
  const double width = static_cast<double>(made->problem.q.dim(2) + made->problem.cache.v.dim(3));
  return {.flops = 2 * keys * shape.q_heads * width, .call = [=](Exec& exec) { forward(exec, made->problem, o); }};
}

void add_paged_benches(CaseList& cases) {
  const std::vector<PagedShape> shapes = {{{300}, {1}, 4, 2, 64, 16},    {{300}, {5}, 4, 2, 64, 16},
                                          {{300}, {1}, 8, 4, 32, 16},    {{1000}, {1}, 32, 8, 128, 16},
                                          {{1000}, {5}, 32, 8, 128, 16}, {{512}, {512}, 8, 2, 64, 16}};
  for (const PagedShape& shape : shapes)
    cases.push_back({.name = "paged_attention/" + shape.name(), .check = {}, .grad = {}, .bench = [=](Exec&) {
                       return paged_work(shape);
                     }});
}

}  // namespace

void add_attention_cases(CaseList& cases) {
  for (const AttentionBackend backend :
       {AttentionBackend::dense, AttentionBackend::fused, AttentionBackend::merge, AttentionBackend::masked})
    add_checks(cases, backend);
  add_paged_checks(cases);
  add_suffix_benches(cases);
  add_paged_benches(cases);
  add_block_mask_cases(cases);
}

}  // namespace eyrie
