#include <fmt/core.h>

#include <memory>

#include "ops/linear.h"
#include "ops/linear_reference.h"
#include "ops/ops_cases.h"
#include "testing/complex_step.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

using testing::Case;
using testing::CaseList;
using testing::CaseMemory;
using testing::Comparison;
using testing::ComplexInputs;
using testing::to_complex;
using testing::to_doubles;
using testing::Workload;

struct Problem {
  int64_t rows, in, out;
  DType dtype = DType::f32;
  bool has_bias = false, strided = false;
  Into into = Into::overwrite;
  std::string name() const {
    return fmt::format("{}x{}x{}/{}{}{}{}", rows, in, out, eyrie::name(dtype), has_bias ? "/bias" : "",
                       strided ? "/strided" : "", into == Into::accumulate ? "/accumulate" : "");
  }
};

// The first `columns` of a matrix: the same rows, further apart.
template <typename Matrix>
Matrix left_columns(Matrix matrix, int64_t columns) {
  matrix.shape.dims[1] = columns;
  return matrix;
}

// Every tensor of one problem; strided ones are the left columns of wider ones.
class Tensors {
 public:
  Tensors(const Problem& p, const Exec& exec) : memory_("linear/" + p.name(), exec), margin_(p.strided ? 3 : 0) {
    x = normal("x", p.rows, p.in);
    weight = normal("weight", p.out, p.in, exec.device == Device::cuda ? exec.activations : p.dtype);
    if (p.has_bias) bias = memory_.normal("bias", {p.out});
    y = into(p, "y", p.rows, p.out);
    d_y = normal("d_y", p.rows, p.out);
    d_x = into(p, "d_x", p.rows, p.in);
    d_weight = normal("d_weight", p.out, p.in, DType::f32);
    if (p.has_bias) d_bias = memory_.normal("d_bias", {p.out}, 1.0, DType::f32);
  }
  std::vector<double> before(const Problem& p, const Tensor& tensor) const {
    return p.into == Into::accumulate ? to_doubles(tensor)
                                      : std::vector<double>(static_cast<size_t>(tensor.elements()));
  }
  std::vector<double> bias_values() const { return bias.defined() ? to_doubles(bias) : std::vector<double>(); }
  void add_guards(std::vector<Comparison>& results) const {
    for (Comparison& broken : memory_.broken_guards()) results.push_back(std::move(broken));
  }

  Tensor x, weight, bias, y, d_y, d_x, d_weight, d_bias;

 private:
  Tensor normal(const char* name, int64_t rows, int64_t columns, std::optional<DType> dtype = {}) {
    return left_columns(memory_.normal(name, {rows, columns + margin_}, 1.0, dtype), columns);
  }
  Tensor into(const Problem& p, const char* name, int64_t rows, int64_t columns) {
    if (p.into == Into::accumulate) return normal(name, rows, columns);
    return left_columns(memory_.output(name, {rows, columns + margin_}), columns);
  }
  CaseMemory memory_;
  const int64_t margin_;
};

std::vector<double> sum(std::vector<double> a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

std::vector<Comparison> check(Exec& exec, const Problem& p) {
  const Tensors t(p, exec);
  const std::vector<double> before = t.before(p, t.y);
  const ConstTensor added = p.into == Into::accumulate ? t.y : Tensor();
  linear(exec, {.x = t.x, .weight = t.weight, .bias = t.bias, .added = added, .y = t.y});
  const std::vector<double> product =
      linear_reference(to_doubles(t.x), to_doubles(t.weight), t.bias_values(), static_cast<size_t>(p.rows));
  std::vector<Comparison> results = {
      testing::compare("y", t.y, sum(product, before), testing::tolerance_of(t.y.dtype))};
  t.add_guards(results);
  return results;
}

std::vector<Comparison> check_gradient(Exec& exec, const Problem& p) {
  const Tensors t(p, exec);
  const std::vector<double> d_x = t.before(p, t.d_x), d_weight = to_doubles(t.d_weight), d_y = to_doubles(t.d_y);
  const std::vector<double> d_bias = t.d_bias.defined() ? to_doubles(t.d_bias) : std::vector<double>();
  linear_backward(exec, {.d_y = t.d_y,
                         .x = t.x,
                         .weight = t.weight,
                         .d_weight = t.d_weight,
                         .d_bias = t.d_bias,
                         .d_x = t.d_x,
                         .into = p.into});
  const ComplexInputs inputs = {to_complex(to_doubles(t.x)), to_complex(to_doubles(t.weight)),
                                to_complex(t.bias_values())};
  const auto gradient = [&](size_t which) {
    return testing::complex_step_gradient(
        [&](const ComplexInputs& in) { return linear_reference(in[0], in[1], in[2], static_cast<size_t>(p.rows)); },
        inputs, which, d_y);
  };
  std::vector<Comparison> results = {
      testing::compare("d_x", t.d_x, sum(gradient(0), d_x), testing::tolerance_of(t.d_x.dtype)),
      testing::compare("d_weight", t.d_weight, sum(gradient(1), d_weight))};
  if (p.has_bias) results.push_back(testing::compare("d_bias", t.d_bias, sum(gradient(2), d_bias)));
  t.add_guards(results);
  return results;
}

// Rows on both sides of every switch of kernel, sizes on both sides of every vector.
std::vector<Problem> checked_problems() {
  std::vector<Problem> problems;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 16, 17, 40, 41, 200}) {
      const bool odd = rows % 2 != 0;
      const Into into = rows % 3 == 0 ? Into::accumulate : Into::overwrite;
      problems.push_back({rows, 1, 1, dtype, odd, !odd, into});
      problems.push_back({rows, 7, 3, dtype, !odd, odd, into});
      problems.push_back({rows, 640, 17, dtype, odd, odd, into});
      problems.push_back({rows, 255, 1001, dtype, false, odd});
      problems.push_back({rows, 33, 8, dtype});
    }
  problems.push_back({50, 1100, 1001, DType::bf16, true});  // more than one block of depth
  return problems;
}

std::vector<Problem> differentiated_problems() {
  using enum DType;
  return {{1, 1, 1, f32, true},
          {5, 7, 3, f32, false, true, Into::accumulate},
          {20, 13, 17, f32, true, false, Into::accumulate},
          {19, 31, 6, bf16, true, true},
          {4, 9, 33, f16}};
}

// Every linear layer of one decode step, each with its own weights. The values do not matter to the clock.
struct DecoderShape {
  const char* name;
  int64_t layers, hidden, kv_width, intermediate, vocabulary;
  std::vector<std::pair<int64_t, int64_t>> matrices() const {  // in, out
    std::vector<std::pair<int64_t, int64_t>> list;
    for (int64_t layer = 0; layer < layers; ++layer)
      list.insert(list.end(), {{hidden, hidden},
                               {hidden, kv_width},
                               {hidden, kv_width},
                               {hidden, hidden},
                               {hidden, intermediate},
                               {hidden, intermediate},
                               {intermediate, hidden}});
    if (vocabulary) list.push_back({hidden, vocabulary});
    return list;
  }
};

Workload decode_work(Exec& here, const DecoderShape& shape, DType dtype, int64_t rows) {
  struct Owner {
    std::vector<Buffer> weights;
    Buffer x, y;
  };
  const auto owner = std::make_shared<Owner>();
  const auto zeros = [&](DType type, const Shape& size) {
    Buffer made(type, size, here.device);
    zero(here, made);
    return made;
  };
  int64_t elements = 0, widest = 0;
  for (const auto& [in, out] : shape.matrices()) {
    owner->weights.push_back(zeros(dtype, {out, in}));
    elements += in * out;
    widest = std::max({widest, in, out});
  }
  owner->x = zeros(DType::f32, {rows * widest}), owner->y = zeros(DType::f32, {rows * widest});
  Workload work{.call = [=](Exec& exec) {
    for (const Buffer& weight : owner->weights) {
      const ConstTensor w = weight;
      const auto matrix = [&](const Buffer& flat, int64_t width) {
        return flat.tensor().slice(0, rows * width).reshape({rows, width});
      };
      linear(exec, {.x = matrix(owner->x, w.dim(1)), .weight = w, .y = matrix(owner->y, w.dim(0))});
    }
  }};
  const auto all = static_cast<double>(elements);
  // Few rows wait for the weights; more wait for the multiply-adds.
  rows < 3 ? work.bytes = all * static_cast<double>(size_bytes(dtype))
           : work.flops = 2 * all * static_cast<double>(rows);
  return work;
}

Workload training_work(const Exec& here, int64_t rows, int64_t in, int64_t out) {  // forward and both gradients
  const auto tensors = std::make_shared<Tensors>(Problem{rows, in, out}, here);
  return {.flops = 6.0 * static_cast<double>(rows * in * out), .call = [=](Exec& exec) {
            const Tensors& t = *tensors;
            linear(exec, {.x = t.x, .weight = t.weight, .y = t.y});
            linear_backward(exec, {.d_y = t.d_y, .x = t.x, .weight = t.weight, .d_weight = t.d_weight, .d_x = t.d_x});
          }};
}

// On a GPU weights have the activations' type: one problem of each shape is enough.
void add_case(CaseList& cases, const Problem& p, const Case& one) {
  p.dtype == DType::f32 ? testing::add_on_every_device(cases, one) : cases.push_back(one);
}

void add_benches(CaseList& cases) {
  const DecoderShape shapes[] = {{"256 wide", 8, 256, 64, 640, 2048}, {"2048 wide", 16, 2048, 512, 8192, 0}};
  for (const DecoderShape& shape : shapes)
    for (const int64_t rows : {1, 5, 16})
      cases.push_back({fmt::format("linear/decode {}, rows {}, bf16", shape.name, rows), {}, {}, [=](Exec& exec) {
                         return decode_work(exec, shape, DType::bf16, rows);
                       }});
  for (const int64_t out : {256, 640})
    cases.push_back({fmt::format("linear/training 2048x256x{}", out), {}, {}, [=](Exec& exec) {
                       return training_work(exec, 2048, 256, out);
                     }});
}

}  // namespace

void add_linear_cases(CaseList& cases) {
  for (const Problem& p : checked_problems())
    add_case(cases, p, {"linear/" + p.name(), [=](Exec& exec) { return check(exec, p); }, {}, {}});
  for (const Problem& p : differentiated_problems())
    add_case(cases, p, {"linear/" + p.name(), {}, [=](Exec& exec) { return check_gradient(exec, p); }, {}});
  add_benches(cases);
}

}  // namespace eyrie
