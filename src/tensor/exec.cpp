#include "tensor/exec.h"

#include "base/threads.h"

namespace eyrie {

Exec::Exec(Device device_) : device(device_), scratch(device_) {
  if (device == Device::cpu) return;
  expect_cuda();
  if constexpr (kHasCuda) stream = cuda::Stream::create();
}

Crew& Exec::crew() {
  if (!crew_ || crew_->threads() != thread_count()) {
    crew_.reset();
    crew_ = std::make_unique<Crew>(thread_count());
  }
  return *crew_;
}

}  // namespace eyrie
