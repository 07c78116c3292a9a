// ops/gpu.cuh: what the kernels of this room share: 16 bytes of a row at a time, sums over a CTA, dtypes as types, and
// the one kernel of all that is elementwise.
// Values are f32 in registers whatever the storage. Private to the room.
#pragma once
#include <cuda_bf16.h>

#include <algorithm>
#include <string>

#include "base/error.h"
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

// CTAs of a grid.
inline dim3 grid_of(int64_t ctas) {
  if (ctas > INT32_MAX)
    throw Error(ErrorKind::device, "grid", "expected at most 2147483647 CTAs, found " + std::to_string(ctas));
  return dim3(static_cast<unsigned>(ctas));
}
inline int64_t ceil_div(int64_t count, int64_t by) { return (count + by - 1) / by; }

// A matrix as a kernel sees it.
template <typename T>
struct Rows {
  T* data;
  int64_t stride;
  __device__ __forceinline__ T* at(int64_t row, int64_t column = 0) const { return data + row * stride + column; }
};
template <typename T, typename Matrix>
Rows<T> rows_of(const Matrix& matrix) {
  if (matrix.dim(1) > 1 && matrix.strides[1] != 1)
    throw Error(ErrorKind::internal, "rows", "the columns of a " + to_string(matrix.shape) + " matrix do not touch");
  return {static_cast<T*>(matrix.data), matrix.strides[0]};
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

// to[column] += the sum of a column of from [rows, width]: 32 threads sum a part of the rows each, in order.
template <typename T>
__global__ void __launch_bounds__(1024) sum_columns(Rows<const T> from, int64_t rows, int64_t width, float* to) {
  __shared__ float parts[32][33];
  const int64_t column = int64_t{blockIdx.x} * 32 + threadIdx.x;
  const int64_t part = (rows + 31) / 32, begin = part * threadIdx.y, end = min(begin + part, rows);
  float sum = 0;
#pragma unroll 4
  for (int64_t row = begin; column < width && row < end; ++row) sum += as_float(*from.at(row, column));
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= width) return;
  sum = to[column];
#pragma unroll
  for (int i = 0; i < 32; ++i) sum += parts[i][threadIdx.x];
  to[column] = sum;
}
template <typename T>
void add_columns(const char* name, const Exec& exec, const Rows<const T>& from, int64_t rows, int64_t width,
                 float* to) {
  const double elements = static_cast<double>(rows) * static_cast<double>(width);
  launch(name, sum_columns<T>, {.grid = grid_of(ceil_div(width, 32)), .block = dim3(32, 32)},
         {.bytes = sizeof(T) * elements, .flops = elements}, exec.stream, from, rows, width, to);
}

// What is elementwise over [rows, width] is a Body of kInputs and two functions, of kVec elements from (row, column)
// on:
//   void load(int64_t row, int64_t column, float (&in)[kInputs][kVec]) const;
//   void finish(int64_t row, int64_t column, const float (&in)[kInputs][kVec]) const;
// A thread loads all that it needs before it writes anything: outputs may be inputs, and more bytes are on their way.
inline constexpr int kEachThread = 2;  // of kVec elements
template <int kVec, typename Body>
__global__ void __launch_bounds__(256) each_element(const __grid_constant__ Body body, int64_t width, unsigned tiles) {
  const int64_t row = blockIdx.x / tiles, step = static_cast<int64_t>(blockDim.x) * kVec;
  const int64_t first = (blockIdx.x % tiles) * (kEachThread * step) + threadIdx.x * kVec;
  float in[kEachThread][Body::kInputs][kVec];
#pragma unroll
  for (int i = 0; i < kEachThread; ++i)
    if (first + i * step < width) body.load(row, first + i * step, in[i]);
#pragma unroll
  for (int i = 0; i < kEachThread; ++i)
    if (first + i * step < width) body.finish(row, first + i * step, in[i]);
}

// kVec: elements at a time where `vectors`, else one. cost is that of an element.
template <int kVec, typename Body>
void for_each_element(const char* name, const Exec& exec, int64_t rows, int64_t width, bool vectors,
                      const LaunchCost& cost, const Body& body) {
  if (kVec > 1 && !vectors) return for_each_element<1>(name, exec, rows, width, false, cost, body);
  const int64_t thread_width = kVec * kEachThread;
  const int64_t threads = std::clamp<int64_t>(ceil_div(ceil_div(width, thread_width), 32) * 32, 32, 256);
  const int64_t tiles = ceil_div(width, threads * thread_width);
  const auto elements = static_cast<double>(rows) * static_cast<double>(width);
  launch(name, each_element<kVec, Body>, {.grid = grid_of(rows * tiles), .block = dim3(static_cast<unsigned>(threads))},
         {.bytes = cost.bytes * elements, .flops = cost.flops * elements}, exec.stream, body, width,
         static_cast<unsigned>(tiles));
}

}  // namespace eyrie::cuda
