#include "tensor/exec.h"

#include "base/threads.h"

namespace eyrie {

Exec::Exec(Device device_, DType activations_) : device(device_), activations(activations_), scratch(device_) {
  if (device == Device::cpu) return;
  expect_cuda();
  if constexpr (kHasCuda) stream = cuda::Stream::create();
}

Exec Exec::plan(Device device, DType activations) {
  Exec made;
  made.device = device;
  made.activations = activations;
  made.scratch = Scratch(device, Scratch::Memory::planned);
  made.planning = true;
  return made;
}

Crew& Exec::crew() {
  if (!crew_ || crew_->threads() != thread_count()) {
    crew_.reset();
    crew_ = std::make_unique<Crew>(thread_count());
  }
  return *crew_;
}

Matmul& Exec::matmul() {
  if constexpr (kHasCuda)
    if (!matmul_) matmul_ = std::make_shared<Matmul>();
  return *matmul_;
}

void* Exec::pinned() {
  constexpr int64_t kBytes = 256;
  if (!pinned_) pinned_ = allocate_pinned(kBytes);
  return pinned_.get();
}

void Exec::wait() const {
  if constexpr (kHasCuda)
    if (device == Device::cuda && !planning) stream.synchronize();
}

void copy(Exec& exec, const ConstTensor& from, const Tensor& to) {
  if (exec.planning) return expect_shape("copy", to, from.shape);
  if (exec.device == Device::cpu) return copy(from, to);
  expect_shape("copy", to, from.shape);
  expect_dtype("copy", to, {from.dtype});
  if (from.elements() == 0) return;
  if constexpr (kHasCuda) {
    if (from.contiguous() && to.contiguous()) return cuda::copy_bytes(to.data, from.data, from.bytes(), exec.stream);
    if (from.rank() != 2) {
      for (int64_t i = 0; i < from.dim(0); ++i) copy(exec, from[i], to[i]);
      return;
    }
    const int64_t size = size_bytes(from.dtype);
    cuda::copy_rows(to.data, to.strides[0] * size, from.data, from.strides[0] * size, from.dim(1) * size, from.dim(0),
                    exec.stream);
  }
}

void zero(Exec& exec, const Tensor& tensor) {
  if (exec.planning) return;
  if (exec.device == Device::cpu) return fill_zero(tensor);
  expect_device("zero", tensor, exec.device);
  if (!tensor.contiguous()) throw Error(ErrorKind::internal, "zero", "expected contiguous elements");
  if constexpr (kHasCuda) cuda::set_bytes(tensor.data, 0, tensor.bytes(), exec.stream);
}

Buffer to_device(Exec& exec, const ConstTensor& source, DType dtype) {
  Buffer here = Buffer::copy_of(source, dtype);
  if (exec.device == Device::cpu) return here;
  Buffer made(dtype, source.shape, exec.device);
  copy(exec, here, made);
  exec.wait();
  return made;
}

Buffer to_cpu(Exec& exec, const ConstTensor& source) {
  Buffer made(source.dtype, source.shape);
  copy(exec, source, made);
  exec.wait();
  return made;
}

}  // namespace eyrie
