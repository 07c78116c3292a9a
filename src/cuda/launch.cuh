// cuda/launch.cuh: the one way a kernel is started.
//
//   struct Params { ... };
//   __global__ void scale_rows(const __grid_constant__ Params params) { ... }
//   launch("scale_rows", scale_rows, {.grid = dim3(rows), .block = dim3(256)}, {.bytes = 8.0 * elements}, params,
//   stream);
//
// Sets the shared-memory limit when it is above 48 KiB, launches, and checks: Error{device} names the kernel, its grid
// and its shared bytes. A grid without CTAs launches nothing. While stream.profile is set the call is timed, and its
// bytes and FLOPs recorded.
#pragma once
#include <cuda_runtime.h>

#include <type_traits>

#include "cuda/profile.h"

namespace eyrie::cuda {

struct LaunchShape {
  dim3 grid, block;
  int64_t shared_bytes = 0;  // dynamic
};

void launch(const char* name, const void* kernel, const LaunchShape& shape, const LaunchCost& cost,
            const Stream& stream, void** params);

template <typename... Params>
void launch(const char* name, void (*kernel)(Params...), const LaunchShape& shape, const LaunchCost& cost,
            const Stream& stream, const std::type_identity_t<Params>&... params) {
  void* addresses[] = {const_cast<Params*>(&params)...};
  launch(name, reinterpret_cast<const void*>(kernel), shape, cost, stream, addresses);
}

}  // namespace eyrie::cuda
