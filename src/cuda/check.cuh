// cuda/check.cuh: no CUDA error is ever dropped.
#pragma once
#include <cuda_runtime.h>

#include <string>

#include "base/error.h"

namespace eyrie::cuda {

// Throws Error{device} naming `place` (a kernel, or what was being done) unless `found` is success.
inline void check(cudaError_t found, const std::string& place) {
  if (found == cudaSuccess) return;
  cudaGetLastError();  // an error that CUDA can forget must not be met again by the next call
  throw Error(ErrorKind::device, place, std::string(cudaGetErrorName(found)) + ", " + cudaGetErrorString(found));
}

}  // namespace eyrie::cuda
