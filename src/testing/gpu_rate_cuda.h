// testing/gpu_rate_cuda.h: the CUDA behind gpu_rate.h.
#pragma once
#include <memory>

#include "tensor/tensor.h"

namespace eyrie::cuda {
class Stream;
}

namespace eyrie::testing {

void launch_fill_normal(const cuda::Stream& stream, const Tensor& tensor, uint64_t seed);

// c = a^T b, column-major [size, size] bf16, by cuBLASLt.
class GpuMatmul {
 public:
  explicit GpuMatmul(int64_t size);
  ~GpuMatmul();
  void run(const cuda::Stream& stream, const ConstTensor& a, const ConstTensor& b, const Tensor& c) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace eyrie::testing
