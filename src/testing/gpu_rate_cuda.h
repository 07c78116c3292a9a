// testing/gpu_rate_cuda.h: the CUDA behind gpu_rate.h.
#pragma once
#include "tensor/tensor.h"

namespace eyrie::cuda {
class Stream;
}

namespace eyrie::testing {

void launch_fill_normal(const cuda::Stream& stream, const Tensor& tensor, uint64_t seed, double deviation);

}  // namespace eyrie::testing
