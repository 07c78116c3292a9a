// testing/gpu_rate.h: what a GPU can do, and numbers for it to work on. Error{device} where there is none.
#pragma once
#include <string_view>

#include "tensor/exec.h"

namespace eyrie::testing {

// FLOP/s of cuBLASLt's bf16 product of two 8192 x 8192 matrices of random numbers, sums in fp32: a median.
double gpu_matmul_flops(Exec& exec);

// Bytes/s, read and written, of a copy of 1 GiB on the device: a median.
double gpu_copy_bytes(Exec& exec);

// Normal numbers, the same for the same name; a contiguous float tensor on the GPU.
void gpu_fill_normal(Exec& exec, const Tensor& tensor, std::string_view name, double deviation = 1);

}  // namespace eyrie::testing
