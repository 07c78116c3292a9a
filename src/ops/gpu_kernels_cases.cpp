// What each elementwise kernel of the room reaches of a copy's rate on a GPU.
#include <memory>

#include "ops/activation.h"
#include "ops/adamw.h"
#include "ops/embedding.h"
#include "ops/norm.h"
#include "ops/ops_cases.h"
#include "ops/rope.h"
#include "ops/rows.h"
#include "testing/gpu_rate.h"

namespace eyrie {
namespace {

using testing::Workload;

constexpr int64_t kRows = 8192, kWidth = 4096, kTokens = 32'000, kPositions = 4096;

struct Tensors {
  explicit Tensors(Exec& exec)
      : a(make(exec, exec.activations, {kRows, kWidth})),
        b(make(exec, exec.activations, {kRows, kWidth})),
        c(make(exec, exec.activations, {kRows, kWidth})),
        d(make(exec, exec.activations, {kRows, kWidth})),
        table(make(exec, exec.activations, {kTokens, kWidth})),
        working(make(exec, DType::bf16, {kRows, kWidth})),
        weight(make(exec, DType::f32, {kWidth})),
        heads(make(exec, DType::f32, {kRows, 32, 128})) {
    for (Buffer& one : f32) one = make(exec, DType::f32, {kRows, kWidth});
    const Buffer list(DType::i32, {kRows});
    for (int64_t i = 0; i < kRows; ++i) list.tensor().as<int32_t>()[i] = static_cast<int32_t>(i * 7 % kPositions);
    positions = to_device(exec, list, DType::i32);
    for (int64_t i = 0; i < kRows; ++i) list.tensor().as<int32_t>()[i] = static_cast<int32_t>(kRows - 1 - i);
    backwards = to_device(exec, list, DType::i32);
  }
  static Buffer make(Exec& exec, DType dtype, const Shape& shape) {
    Buffer made(dtype, shape, exec.device);
    testing::gpu_fill_normal(exec, made, "kernels");
    return made;
  }
  Buffer a, b, c, d, table, working, weight, heads, f32[4], positions, backwards;
  RopeTable rope{std::vector<double>(64, 0.01), 1, kPositions};
};

void run_all(Exec& exec, const Tensors& t) {
  const auto heads = [](const Buffer& rows) { return rows.tensor().reshape({kRows, 32, 128}); };
  const auto lines = [](const Buffer& rows) { return rows.tensor().reshape({kRows * 32, 128}); };
  const ConstTensor narrow = t.weight.tensor().slice(0, 128);
  const auto norm_backward = [&](const ConstTensor& weight, const auto& of, const Buffer* added) {
    Tensor d_weight = t.f32[3].tensor()[0].slice(0, weight.dim(0));
    rms_norm_backward(exec, {.x = of(t.a),
                             .weight = weight,
                             .eps = 1e-5f,
                             .d_y = of(t.b),
                             .added = added ? of(*added) : Tensor(),
                             .d_x = of(t.c),
                             .d_weight = d_weight});
  };
  const auto whole = [](const Buffer& rows) { return rows.tensor(); };
  rms_norm(exec, {.x = t.a, .weight = t.weight, .eps = 1e-5f, .y = t.b});
  norm_backward(t.weight, whole, nullptr);
  norm_backward(t.weight, whole, &t.d);
  silu_multiply(exec, {.gate = t.a, .up = t.b, .product = t.c});
  silu_multiply_backward(exec, {.gate = t.a, .up = t.b, .d_product = t.c, .d_gate = t.d, .d_up = t.b});
  apply_rope(exec, {.table = t.rope, .positions = t.positions, .x = heads(t.a), .y = heads(t.a)});
  embed(exec, {.table = t.table, .ids = t.backwards, .y = t.a});
  gather_rows(exec, {.from = t.b, .index = t.backwards, .to = t.c});
  scatter_rows(exec, {.from = t.b, .index = t.backwards, .to = t.c});
  add(exec, {.from = t.a, .to = t.b});
  convert(exec, {.from = t.f32[0], .to = t.a});
  sum_of_squares(exec, t.f32[0]);
  AdamW step;
  step.weight = t.f32[0], step.gradient = t.f32[1], step.first_moment = t.f32[2], step.second_moment = t.f32[3];
  step.working = t.working, step.learning_rate = 1e-4;
  zero(exec, step.second_moment);
  adamw(exec, step);
  rms_norm(exec, {.x = lines(t.a), .weight = narrow, .eps = 1e-5f, .y = lines(t.b)});
  norm_backward(narrow, lines, nullptr);
}

Workload work(Exec& for_exec) {
  const auto t = std::make_shared<Tensors>(for_exec);
  return {.call = [t](Exec& exec) { run_all(exec, *t); }, .about = {}, .parts = {}, .kernels = true};
}

}  // namespace

void add_gpu_kernels_cases(testing::CaseList& cases) {
  for (const DType dtype : {DType::bf16, DType::f32})
    cases.push_back({.name = std::string("elementwise/8192x4096 cuda ") + name(dtype),
                     .check = {},
                     .grad = {},
                     .bench = work,
                     .device = Device::cuda,
                     .activations = dtype});
}

}  // namespace eyrie
