// Products by cuBLASLt (tensor/matmul.h); the column sums of a bias by a kernel of our own: 32 columns a CTA, whose 16
// rows of threads pass down d_y together. It reads d_y once, 64 bytes of a row at a time.
#include "ops/activation.h"
#include "ops/gpu.cuh"
#include "ops/linear.h"

namespace eyrie::cuda {
namespace {

constexpr int kColumns = 32, kRows = 16;

template <typename T>
struct ColumnSums {
  const T* from;
  int64_t stride, rows, width;
  float* to;  // +=
};

template <typename T>
__global__ void add_column_sums(const __grid_constant__ ColumnSums<T> p) {
  __shared__ float sums[kRows][kColumns];
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  float sum = 0;
  for (int64_t r = threadIdx.y; column < p.width && r < p.rows; r += kRows)
    sum += as_float(p.from[r * p.stride + column]);
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= p.width) return;
  for (int i = 1; i < kRows; ++i) sum += sums[i][threadIdx.x];
  p.to[column] += sum;
}

void add_bias_gradient(Exec& exec, const ConstTensor& d_y, const Tensor& d_bias) {
  with_float_type(d_y.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t width = d_y.dim(1);
    launch("bias gradient", add_column_sums<T>,
           {.grid = dim3(static_cast<unsigned>((width + kColumns - 1) / kColumns)), .block = dim3(kColumns, kRows)},
           {.bytes = static_cast<double>(d_y.bytes())}, exec.stream,
           {static_cast<const T*>(d_y.data), d_y.strides[0], d_y.dim(0), width, d_bias.as<float>(Device::cuda)});
  });
}

}  // namespace

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
  if (op.d_bias.defined()) add_bias_gradient(exec, op.d_y, op.d_bias);
  if (!op.d_x.defined()) return;
  const ConstTensor before = op.into == Into::accumulate ? ConstTensor(op.d_x) : ConstTensor();
  exec.matmul().run(exec.stream, {.a = op.d_y, .b = op.weight, .added = before, .c = op.d_x}, "linear d_x");
}

}  // namespace eyrie::cuda
