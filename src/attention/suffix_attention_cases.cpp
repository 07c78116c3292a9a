#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <memory>

#include "attention/attention_cases.h"
#include "attention/suffix_problem.h"

namespace eyrie {
namespace {

using testing::CaseList;
using testing::Comparison;
using testing::Workload;
using Complex = std::complex<double>;
using Reference = SuffixAttentionReference<Complex>;

// Who runs a case, and on what.
struct Setup {
  AttentionBackend backend;
  Kind kind;
  bool on_cpu() const { return kind.device == Device::cpu; }
  std::string name() const {  // the CPU has one dtype: it needs no name
    return fmt::format("{}{}", eyrie::name(backend), on_cpu() ? "" : fmt::format("/gpu/{}", eyrie::name(kind.dtype)));
  }
};

constexpr Setup kOracle = {AttentionBackend::dense, {DType::f32, Device::cpu}};  // proven by derivatives
bool is_oracle(const Setup& setup) { return setup.backend == kOracle.backend && setup.on_cpu(); }

std::vector<Setup> setups() {
  using enum AttentionBackend;
  std::vector<Setup> list;
  for (const AttentionBackend backend : {dense, fused, merge, masked}) list.push_back({backend, {}});
  if (!kHasCuda) return list;
  list.push_back({dense, {DType::f32, Device::cuda}});
  for (const AttentionBackend backend : {dense, fused, merge, masked})
    for (const DType dtype : {DType::bf16, DType::f16}) list.push_back({backend, {dtype, Device::cuda}});
  return list;
}

// Every head dimension, 1, 4, 7 and 8 query heads a key-value head, every depth to 8 and 16, and lengths around a tile.
const std::vector<SuffixShape>& chosen_shapes() {
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
      {{129, 1, 128, 127}, 7, 1, 32, 7},
      {{1, 127, 70}, 8, 1, 64, 6, last_half},
      {{127, 129}, 4, 1, 96, 4, all, 0, true},
      {{3, 5}, 80, 1, 16, 1},
      {{129}, 8, 2, 64, 0, all, 0, true, true},
      {{300}, 7, 1, 128, 3, all, 0, false, true},
      {{1}, 4, 1, 80, 2, all, 0, false, true},
  };
  return kShapes;
}

SuffixShape random_shape(RandomStream& stream) {
  const auto one_of = [&](const auto& list) { return list[stream.below(std::size(list))]; };
  constexpr int kDims[] = {32, 64, 80, 96, 128, 256}, kGroups[] = {1, 4, 7, 8}, kKvHeads[] = {1, 2};
  constexpr int kLengths[] = {1, 2, 3, 20, 63, 64, 65, 127, 128, 129}, kDepths[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 16};
  SuffixShape shape = {.lengths = {}, .q_heads = 0, .kv_heads = one_of(kKvHeads), .dim = one_of(kDims), .depth = 0};
  shape.q_heads = shape.kv_heads * one_of(kGroups);
  shape.depth = one_of(kDepths);
  constexpr int kMostTokens = 130;
  for (int tokens = 0; tokens < kMostTokens / 2; tokens += shape.lengths.back())
    shape.lengths.push_back(std::min(one_of(kLengths), kMostTokens - tokens));
  shape.strided = stream.below(4) == 0;
  if (!shape.strided) shape.rows = one_of(std::array{RowChoice::all, RowChoice::every_third, RowChoice::last_half});
  return shape;
}

std::vector<SuffixShape> checked_shapes() {
  std::vector<SuffixShape> shapes = chosen_shapes();
  RandomStream stream("shapes of suffix attention");
  for (int i = 0; i < 12; ++i) shapes.push_back(random_shape(stream));
  return shapes;
}

// A problem, run forward and backward by one setup, everything written poisoned and guarded.
struct Run {
  SuffixProblem made;
  Exec exec;
  testing::PoisonedScratch scratch;
  Tensor o, lse;

  // `plain`: the same numbers, f32 on the CPU.
  Run(const Setup& setup, const SuffixProblem& plain)
      : made(plain.copied(setup.kind)),
        exec(setup.kind.device),
        scratch(exec.scratch, scratch_bytes(setup.backend, made.problem)),
        o(made.output_o("o")),
        lse(made.output_lse("lse")) {
    suffix_attention(exec, setup.backend, made.problem, o, lse);
  }

  void add_broken_guards(std::vector<Comparison>& results) const {
    for (const std::vector<Comparison>& broken : {made.broken_guards(), scratch.broken_guard()})
      results.insert(results.end(), broken.begin(), broken.end());
  }
};

std::vector<Comparison> check_forward(const Setup& setup, const SuffixShape& shape) {
  const SuffixProblem plain(shape.name(), shape, setup.kind.dtype);
  const Run run(setup, plain);
  auto expected = plain.reference<double>();
  expected.forward();
  std::vector<Comparison> results = {testing::compare("o", run.o, expected.o, testing::tolerance_of(setup.kind.dtype)),
                                     testing::compare("lse", run.lse, expected.lse)};
  run.add_broken_guards(results);
  return results;
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

// The backend that keeps explicit scores, by derivatives of the reference.
std::vector<Comparison> against_derivatives(const SuffixProblem& plain, const SuffixAttentionBackward& found,
                                            const SuffixAttentionBackward& start) {
  constexpr int64_t kFewElements = 1024;  // of q: small enough to differentiate by every element
  Reference reference = plain.reference<Complex>();
  const std::vector<double> d_o = testing::to_doubles(plain.d_o);
  std::vector<Comparison> results;
  for (const Gradient& gradient : gradients_of(found, start))
    results.push_back(plain.problem.q.elements() <= kFewElements ? check_elements(reference, gradient, d_o)
                                                                 : check_direction(reference, gradient, d_o));
  return results;
}

// All others by that backend, element by element.
std::vector<Comparison> against_dense(const SuffixProblem& plain, const SuffixAttentionBackward& found, DType dtype) {
  Run run(kOracle, plain);
  const SuffixAttentionBackward expected = run.made.gradients("grad", run.o, run.lse);
  suffix_attention_backward(run.exec, kOracle.backend, run.made.problem, expected);
  const std::vector<Gradient> list = gradients_of(found, {}), other = gradients_of(expected, {});
  std::vector<Comparison> results;
  for (size_t i = 0; i < list.size(); ++i)
    results.push_back(testing::compare(list[i].name, list[i].found, other[i].found, testing::tolerance_of(dtype)));
  return results;
}

std::vector<Comparison> check_backward(const Setup& setup, const SuffixShape& shape) {
  const SuffixProblem plain(shape.name(), shape, setup.kind.dtype);
  Run run(setup, plain);
  std::vector<Comparison> results;
  for (const bool deterministic : {false, true}) {
    if (deterministic && setup.on_cpu()) break;  // it has no other way
    SuffixAttentionBackward found = run.made.gradients("grad", run.o, run.lse);
    found.deterministic = deterministic;
    suffix_attention_backward(run.exec, setup.backend, run.made.problem, found);
    const std::vector<Comparison> list =
        is_oracle(setup) ? against_derivatives(plain, found, run.made.gradients("start", run.o, run.lse))
                         : against_dense(plain, found, setup.kind.dtype);
    results.insert(results.end(), list.begin(), list.end());
  }
  run.add_broken_guards(results);
  return results;
}

// The tile loops of a GPU have these widths; explicit scores take the rest there.
bool takes(const Setup& setup, const SuffixShape& shape) {
  constexpr int kDims[] = {32, 64, 80, 96, 128, 256};
  if (setup.on_cpu() || setup.backend == AttentionBackend::dense) return true;
  return (shape.value_dim == 0 || shape.value_dim == shape.dim) && std::ranges::count(kDims, shape.dim) > 0;
}

void add_check(CaseList& cases, const Setup& setup, const SuffixShape& shape) {
  cases.push_back({.name = fmt::format("suffix_attention/{}/{}", setup.name(), shape.name()),
                   .check = [=](Exec&) { return check_forward(setup, shape); },
                   .grad = [=](Exec&) { return check_backward(setup, shape); },
                   .bench = {},
                   .device = setup.kind.device});
}

void add_checks(CaseList& cases) {
  for (const Setup& setup : setups())
    for (const SuffixShape& shape : checked_shapes())
      if (takes(setup, shape)) add_check(cases, setup, shape);
  // Widths that are no multiple of a vector: explicit scores take any.
  for (const SuffixShape& shape : {SuffixShape{{9, 4}, 2, 1, 33, 2}, {{40}, 4, 2, 7, 1, RowChoice::all, 20}})
    add_check(cases, kOracle, shape);
}

// Two multiply-adds of `dim` or `value_dim` each for every key that a query lane sees.
double forward_flops(const SuffixProblem& made) {
  const SuffixAttention& problem = made.problem;
  return 2 * static_cast<double>(made.keys_seen() * problem.q.dim(1) * (problem.q.dim(2) + problem.prefix_v.dim(2)));
}

Workload forward_work(AttentionBackend backend, const SuffixShape& shape) {
  const auto made = std::make_shared<SuffixProblem>("bench", shape);
  const Tensor o = made->output_o("o"), lse = made->output_lse("lse");
  return {.flops = forward_flops(*made),
          .call = [=](Exec& exec) { suffix_attention(exec, backend, made->problem, o, lse); }};
}

Workload step_work(AttentionBackend backend, const SuffixShape& shape) {  // forward and backward
  constexpr double kBackwardShare = 2.5;                                  // five products of the forward's two
  const auto made = std::make_shared<SuffixProblem>("bench", shape);
  const Tensor o = made->output_o("o"), lse = made->output_lse("lse");
  const SuffixAttentionBackward grad = made->gradients("grad", o, lse);
  return {.flops = (1 + kBackwardShare) * forward_flops(*made), .call = [=](Exec& exec) {
            suffix_attention(exec, backend, made->problem, o, lse);
            suffix_attention_backward(exec, backend, made->problem, grad);
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

void add_benches(CaseList& cases) {
  using enum AttentionBackend;
  const std::vector<SuffixShape> shapes = {{{2048}, 8, 2, 64, 0},
                                           {{2048}, 8, 2, 64, 6},
                                           {{4096}, 4, 2, 128, 0},
                                           {{2048}, 8, 8, 64, 0},
                                           {{300, 500, 200, 48, 700, 300}, 8, 4, 32, 3, RowChoice::last_half}};
  for (const SuffixShape& shape : shapes) add_benches(cases, fused, shape);
  for (const SuffixShape& shape : shapes)
    if (shape.depth > 0) add_benches(cases, merge, shape), add_benches(cases, masked, shape);
}

}  // namespace

void add_suffix_attention_cases(CaseList& cases) {
  add_checks(cases);
  add_benches(cases);
}

std::vector<Comparison> gpu_attention_errors(AttentionBackend backend, const std::vector<int>& lengths, int q_heads) {
  const SuffixShape shape = {.lengths = lengths, .q_heads = q_heads, .kv_heads = q_heads / 4, .dim = 128, .depth = 3};
  const SuffixProblem plain(shape.name(), shape, DType::bf16);
  const Setup cpu = {AttentionBackend::fused, {}}, gpu = {backend, {DType::bf16, Device::cuda}};
  Run expected(cpu, plain), found(gpu, plain);
  std::vector<Comparison> results = {testing::compare("o", found.o, expected.o)};
  const auto gradients = [](Run& run, AttentionBackend by) {
    const SuffixAttentionBackward grad = run.made.gradients("grad", run.o, run.lse);
    for (const Tensor& sum : {grad.d_prefix_k, grad.d_prefix_v, grad.d_suffix_k, grad.d_suffix_v}) fill_zero(sum);
    suffix_attention_backward(run.exec, by, run.made.problem, grad);
    return gradients_of(grad, {});
  };
  const std::vector<Gradient> right = gradients(expected, cpu.backend), list = gradients(found, gpu.backend);
  for (size_t i = 0; i < list.size(); ++i)
    results.push_back(testing::compare(list[i].name, list[i].found, right[i].found));
  return results;
}

}  // namespace eyrie
