#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "cuda/launch.cuh"
#include "testing/gpu_rate_cuda.h"

namespace eyrie::testing {
namespace {

struct FillParams {
  void* data;
  int64_t count;
  uint64_t seed;
  float deviation;
};

// SplitMix64's mixing of a counter: enough for numbers that are only to be timed.
__device__ uint64_t mixed(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

template <typename T>
__global__ void fill_normal(const __grid_constant__ FillParams params) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < params.count; i += step) {
    const uint64_t bits = mixed(params.seed + static_cast<uint64_t>(i + 1) * 0x9e3779b97f4a7c15u);
    const float radius = params.deviation * sqrtf(-2 * __logf((static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f));
    const float angle = static_cast<float>(bits & 0xffffff) * 0x1p-23f;  // in units of pi
    static_cast<T*>(params.data)[i] = static_cast<T>(radius * cospif(angle));
  }
}

}  // namespace

void launch_fill_normal(const cuda::Stream& stream, const Tensor& tensor, uint64_t seed, double deviation) {
  void (*kernel)(FillParams) = fill_normal<float>;
  if (tensor.dtype == DType::bf16) kernel = fill_normal<__nv_bfloat16>;
  if (tensor.dtype == DType::f16) kernel = fill_normal<__half>;
  cuda::launch("fill_normal", kernel, {.grid = dim3(1024), .block = dim3(256)},
               {.bytes = static_cast<double>(tensor.bytes())}, stream,
               {tensor.data, tensor.elements(), seed, static_cast<float>(deviation)});
}

}  // namespace eyrie::testing
