// tensor/buffer.h: owners of memory, move-only.
#pragma once
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace eyrie {

struct FreeBytes {
  void operator()(void* pointer) const;
};
using Bytes = std::unique_ptr<void, FreeBytes>;

// At least `bytes` bytes, aligned to a cache line, not initialised. Throws Error{internal} saying the size when there
// is no memory.
Bytes allocate_bytes(int64_t bytes);

// A tensor that owns its elements (contiguous, on the CPU).
class Buffer {
 public:
  Buffer() = default;
  Buffer(DType dtype, const Shape& shape);  // not initialised
  static Buffer zeros(DType dtype, const Shape& shape);
  static Buffer copy_of(const ConstTensor& source, DType dtype);  // converts between float types
  static Buffer copy_of(const ConstTensor& source) { return copy_of(source, source.dtype); }

  const Tensor& tensor() const { return tensor_; }
  operator Tensor() const { return tensor_; }
  operator ConstTensor() const { return tensor_; }

 private:
  Bytes bytes_;
  Tensor tensor_;
};

// Memory for values that live no longer than the call that takes them: a stack that grows in its first runs and then
// allocates nothing. Take inside a ScratchScope; everything taken is given back when the scope ends.
class Scratch {
 public:
  Tensor take(DType dtype, const Shape& shape);  // not initialised
  int64_t allocations() const { return allocations_; }
  int64_t reserved_bytes() const;

 private:
  friend class ScratchScope;
  struct Chunk {
    Bytes bytes;
    int64_t size;
  };
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;    // the one in use
  int64_t offset_ = 0;  // bytes taken from it
  int64_t allocations_ = 0;
};

class ScratchScope {
 public:
  explicit ScratchScope(Scratch& scratch) : scratch_(scratch), chunk_(scratch.chunk_), offset_(scratch.offset_) {}
  ~ScratchScope() { scratch_.chunk_ = chunk_, scratch_.offset_ = offset_; }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Scratch& scratch_;
  size_t chunk_;
  int64_t offset_;
};

}  // namespace eyrie
