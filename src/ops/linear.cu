// Products by cuBLASLt (tensor/matmul.h); the column sums of a bias read d_y once.
#include "ops/activation.h"
#include "ops/gpu.cuh"
#include "ops/linear.h"

namespace eyrie::cuda {
void linear(Exec& exec, std::span<const Linear> layers) {
  for (const Linear& op : layers) {
    if (op.y.elements() == 0) continue;
    exec.matmul().run(exec.stream,
                      {.a = op.x, .b = op.weight, .b_transposed = true, .bias = op.bias, .added = op.added, .c = op.y},
                      "linear");
  }
}

void linear_gated(Exec& exec, const LinearGated& op) {
  const Linear layers[] = {op.gate, op.up};
  cuda::linear(exec, layers);
  eyrie::silu_multiply(exec, {.gate = op.gate.y, .up = op.up.y, .product = op.product});
}

void linear_backward(Exec& exec, const LinearBackward& op) {
  if (op.d_y.elements() == 0) return;
  if (op.d_weight.defined())
    exec.matmul().run(exec.stream,
                      {.a = op.d_y, .b = op.x, .a_transposed = true, .added = op.d_weight, .c = op.d_weight},
                      "linear d_weight");
  if (op.d_bias.defined())
    with_float_type(op.d_y.dtype, [&]<typename T>(T) {
      add_columns("linear d_bias", exec, rows_of<const T>(op.d_y), op.d_y.dim(0), op.d_y.dim(1),
                  op.d_bias.as<float>(Device::cuda));
    });
  if (!op.d_x.defined()) return;
  const ConstTensor before = op.into == Into::accumulate ? ConstTensor(op.d_x) : ConstTensor();
  exec.matmul().run(exec.stream, {.a = op.d_y, .b = op.weight, .added = before, .c = op.d_x}, "linear d_x");
}

}  // namespace eyrie::cuda
