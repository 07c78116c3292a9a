// ops/gpu.cuh: what the kernels of this room share: 16 bytes of a row at a time, sums over a CTA, dtypes as types.
// Values are f32 in registers whatever the storage. Private to the room.
#pragma once
#include <cuda_bf16.h>

#include "cuda/launch.cuh"
#include "tensor/exec.h"

namespace eyrie::cuda {

// call(T()) with the type of a dtype that activations have.
template <typename Call>
void with_float_type(DType dtype, Call call) {
  if (dtype == DType::bf16) return call(__nv_bfloat16());
  call(float());
}

template <typename T>
inline constexpr int kVector = 16 / sizeof(T);  // elements of 16 bytes

// Whether every row of the tensors [.., width] can be read 16 bytes at a time.
template <typename T, typename... Tensors>
bool vectors_fit(int64_t width, const Tensors&... tensors) {
  const auto fits = [](const ConstTensor& tensor) {
    bool all = reinterpret_cast<uintptr_t>(tensor.data) % 16 == 0;
    for (int i = 0; i + 1 < tensor.rank(); ++i) all = all && tensor.strides[i] % kVector<T> == 0;
    return all;
  };
  return width % kVector<T> == 0 && (fits(tensors) && ...);
}

__device__ __forceinline__ float as_float(float value) { return value; }
__device__ __forceinline__ float as_float(__nv_bfloat16 value) { return __bfloat162float(value); }
template <typename T>
__device__ __forceinline__ T as(float value) {
  if constexpr (sizeof(T) == 2)
    return __float2bfloat16_rn(value);
  else
    return value;
}

// kCount elements, aligned to their size together (at most 16 bytes at a time).
template <int kCount, typename T>
__device__ __forceinline__ void load(const T* from, float (&to)[kCount]) {
  constexpr int kEach = kCount < kVector<T> ? kCount : kVector<T>;
  struct alignas(kEach * sizeof(T)) Packed {
    T values[kEach];
  };
#pragma unroll
  for (int i = 0; i < kCount; i += kEach) {
    const Packed packed = *reinterpret_cast<const Packed*>(from + i);
#pragma unroll
    for (int j = 0; j < kEach; ++j) to[i + j] = as_float(packed.values[j]);
  }
}
template <int kCount, typename T>
__device__ __forceinline__ void store(T* to, const float (&from)[kCount]) {
  constexpr int kEach = kCount < kVector<T> ? kCount : kVector<T>;
  struct alignas(kEach * sizeof(T)) Packed {
    T values[kEach];
  };
#pragma unroll
  for (int i = 0; i < kCount; i += kEach) {
    Packed packed;
#pragma unroll
    for (int j = 0; j < kEach; ++j) packed.values[j] = as<T>(from[i + j]);
    *reinterpret_cast<Packed*>(to + i) = packed;
  }
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}
// Over the kThreads threads of a CTA, the same in all of them; `shared` is its own 32 floats. A barrier before and
// behind the next use of `shared` is in it.
template <int kThreads>
__device__ __forceinline__ float block_sum(float value, float* shared) {
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kThreads / 32; ++i) sum += shared[i];
  return sum;
}

}  // namespace eyrie::cuda
