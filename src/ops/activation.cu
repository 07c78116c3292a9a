#include "ops/activation.h"
#include "ops/gpu.cuh"

namespace eyrie::cuda {
namespace {

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

template <typename T>
struct Silu {
  static constexpr int kInputs = 2;
  Rows<const T> gate, up;
  Rows<T> product;

  template <int kVec>
  __device__ __forceinline__ void load(int64_t row, int64_t column, float (&in)[kInputs][kVec]) const {
    cuda::load(gate.at(row, column), in[0]);
    cuda::load(up.at(row, column), in[1]);
  }
  template <int kVec>
  __device__ __forceinline__ void finish(int64_t row, int64_t column, const float (&in)[kInputs][kVec]) const {
    float y[kVec];
#pragma unroll
    for (int i = 0; i < kVec; ++i) y[i] = in[0][i] * sigmoid(in[0][i]) * in[1][i];
    store(product.at(row, column), y);
  }
};

// silu'(g) = s (1 + g (1 - s)), s = sigmoid(g).
template <typename T>
struct SiluGradient {
  static constexpr int kInputs = 3;
  Rows<const T> gate, up, d_product;
  Rows<T> d_gate, d_up;

  template <int kVec>
  __device__ __forceinline__ void load(int64_t row, int64_t column, float (&in)[kInputs][kVec]) const {
    cuda::load(gate.at(row, column), in[0]);
    cuda::load(up.at(row, column), in[1]);
    cuda::load(d_product.at(row, column), in[2]);
  }
  template <int kVec>
  __device__ __forceinline__ void finish(int64_t row, int64_t column, const float (&in)[kInputs][kVec]) const {
    float by_gate[kVec], by_up[kVec];
#pragma unroll
    for (int i = 0; i < kVec; ++i) {
      const float g = in[0][i], d_y = in[2][i], s = sigmoid(g);
      by_gate[i] = d_y * in[1][i] * (s * (1 + g * (1 - s)));
      by_up[i] = d_y * (g * s);
    }
    store(d_gate.at(row, column), by_gate);
    store(d_up.at(row, column), by_up);
  }
};

}  // namespace

void silu_multiply(Exec& exec, const SiluMultiply& op) {
  with_float_type(op.gate.dtype, [&]<typename T>(T) {
    const bool vectors = vectors_fit<T>(op.gate.dim(1), op.gate, op.up, op.product);
    for_each_element<kVector<T>>("silu_multiply", exec, op.gate.dim(0), op.gate.dim(1), vectors,
                                 {.bytes = 3.0 * sizeof(T), .flops = 5},
                                 Silu<T>{rows_of<const T>(op.gate), rows_of<const T>(op.up), rows_of<T>(op.product)});
  });
}

void silu_multiply_backward(Exec& exec, const SiluMultiplyBackward& op) {
  with_float_type(op.gate.dtype, [&]<typename T>(T) {
    const bool vectors = vectors_fit<T>(op.gate.dim(1), op.gate, op.up, op.d_product, op.d_gate, op.d_up);
    for_each_element<kVector<T>>(
        "silu_multiply_backward", exec, op.gate.dim(0), op.gate.dim(1), vectors,
        {.bytes = 5.0 * sizeof(T), .flops = 12},
        SiluGradient<T>{rows_of<const T>(op.gate), rows_of<const T>(op.up), rows_of<const T>(op.d_product),
                        rows_of<T>(op.d_gate), rows_of<T>(op.d_up)});
  });
}

}  // namespace eyrie::cuda
