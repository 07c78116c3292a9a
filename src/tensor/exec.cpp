#include "tensor/exec.h"

namespace eyrie {

Exec::Exec(Device device_) : device(device_), scratch(device_) {
  if (device == Device::cpu) return;
  expect_cuda();
  if constexpr (kHasCuda) stream = cuda::Stream::create();
}

}  // namespace eyrie
