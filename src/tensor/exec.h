// tensor/exec.h: where and with what an operation runs; the first argument of every operation. Nothing is ambient but
// the number of threads (base/threads.h).
#pragma once
#include <memory>

#include "cuda/handles.h"
#include "tensor/buffer.h"
#include "tensor/crew.h"
#include "tensor/matmul.h"

namespace eyrie {

struct Exec {
  Exec() = default;
  // On a GPU: a stream of its own. Error{device} when there is none.
  explicit Exec(Device device, DType activations = DType::f32);

  // For a dry run of what would run there: doors check and count, nothing is computed, allocated or read. Only shapes
  // may be asked of what a dry run wrote.
  static Exec plan(Device device = Device::cpu, DType activations = DType::f32);

  // Of scratch, in the type that activations are kept in.
  Tensor take(const Shape& shape) { return scratch.take(activations, shape); }

  Crew& crew();      // of thread_count() threads, started by the first loop
  Matmul& matmul();  // of a GPU, made by the first product. Error{device} without cuBLASLt
  // Until everything asked for so far is done. Nothing else waits for a GPU.
  void wait() const;

  // On a GPU: 256 bytes of the host, pinned, for what an op that waits brings back. The same in every call.
  void* pinned();

  Device device = Device::cpu;
  DType activations = DType::f32;  // on a GPU bf16 too
  Scratch scratch;                 // there
  cuda::Stream stream;             // on a GPU
  bool planning = false;
  double flops = 0;  // of a dry run so far: products and attention, a multiply-add is two

 private:
  std::unique_ptr<Crew> crew_;
  std::shared_ptr<Matmul> matmul_;
  Bytes pinned_;
};

// As copy() and fill_zero() of tensor/tensor.h, in the order of exec's work and without waiting for it. Where a GPU
// takes part the dtypes are equal, and memory of the host has to stay as it is until exec.wait().
void copy(Exec& exec, const ConstTensor& from, const Tensor& to);
void zero(Exec& exec, const Tensor& tensor);

// For what happens once, or is a test's: copies in memory of their own on exec's device or on the CPU, converted there.
// Both wait.
Buffer to_device(Exec& exec, const ConstTensor& source, DType dtype);
Buffer to_cpu(Exec& exec, const ConstTensor& source);

}  // namespace eyrie
