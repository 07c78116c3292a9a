#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "cuda/check.cuh"
#include "cuda/launch.cuh"
#include "testing/gpu_rate_cuda.h"

namespace eyrie::testing {
namespace {

struct FillParams {
  void* data;
  int64_t count;
  uint64_t seed;
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
    const float radius = sqrtf(-2 * __logf((static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f));
    const float angle = static_cast<float>(bits & 0xffffff) * 0x1p-23f;  // in units of pi
    static_cast<T*>(params.data)[i] = static_cast<T>(radius * cospif(angle));
  }
}

void check_blas(cublasStatus_t found, const char* place) {
  if (found == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorKind::device, place, cublasLtGetStatusString(found));
}

}  // namespace

void launch_fill_normal(const cuda::Stream& stream, const Tensor& tensor, uint64_t seed) {
  void (*kernel)(FillParams) = fill_normal<float>;
  if (tensor.dtype == DType::bf16) kernel = fill_normal<__nv_bfloat16>;
  if (tensor.dtype == DType::f16) kernel = fill_normal<__half>;
  cuda::launch("fill_normal", kernel, {.grid = dim3(1024), .block = dim3(256)},
               {.bytes = static_cast<double>(tensor.bytes())}, stream, {tensor.data, tensor.elements(), seed});
}

struct GpuMatmul::Plan {
  static constexpr int64_t kWorkspaceBytes = int64_t{64} << 20;
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t chosen = {};
  void* workspace = nullptr;

  ~Plan() {
    cuda::free_memory(workspace);
    cublasLtMatmulPreferenceDestroy(preference);
    cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(product);
    cublasLtDestroy(handle);
  }

  void make(int64_t size) {
    const char* place = "cuBLASLt";
    const auto rows = static_cast<uint64_t>(size);
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const auto bytes = static_cast<size_t>(kWorkspaceBytes);
    check_blas(cublasLtCreate(&handle), place);
    check_blas(cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F), place);
    check_blas(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed)),
               place);
    check_blas(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, rows, rows, size), place);
    check_blas(cublasLtMatmulPreferenceCreate(&preference), place);
    check_blas(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                                                    sizeof(bytes)),
               place);
    int found = 0;
    check_blas(
        cublasLtMatmulAlgoGetHeuristic(handle, product, layout, layout, layout, layout, preference, 1, &chosen, &found),
        place);
    if (found == 0) throw Error(ErrorKind::device, place, "no algorithm for a bf16 product");
    workspace = cuda::allocate(kWorkspaceBytes, "cuBLASLt workspace");
  }
};

GpuMatmul::GpuMatmul(int64_t size) : plan_(std::make_unique<Plan>()) { plan_->make(size); }

GpuMatmul::~GpuMatmul() = default;

void GpuMatmul::run(const cuda::Stream& stream, const ConstTensor& a, const ConstTensor& b, const Tensor& c) const {
  const float one = 1, zero = 0;
  check_blas(cublasLtMatmul(plan_->handle, plan_->product, &one, a.data, plan_->layout, b.data, plan_->layout, &zero,
                            c.data, plan_->layout, c.data, plan_->layout, &plan_->chosen.algo, plan_->workspace,
                            static_cast<size_t>(Plan::kWorkspaceBytes), stream.handle()),
             "cuBLASLt");
}

}  // namespace eyrie::testing
