// tensor/buffer.h: owners of memory, move-only.
#pragma once
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace eyrie {

struct FreeBytes {
  Device device = Device::cpu;
  bool pinned = false;
  void operator()(void* pointer) const;
};
using Bytes = std::unique_ptr<void, FreeBytes>;

// At least `bytes` bytes, aligned to a cache line (on a GPU to 256), not initialised. Error{device} saying the size,
// on a GPU also the size free and `purpose`, when there is no memory; and when there is no such device.
Bytes allocate_bytes(int64_t bytes, Device device = Device::cpu, std::string_view purpose = "tensor");
// Of the host, for copies to and from a GPU that do not wait. Error{device} when there is no GPU.
Bytes allocate_pinned(int64_t bytes);

// A tensor that owns its elements (contiguous).
class Buffer {
 public:
  Buffer() = default;
  Buffer(DType dtype, const Shape& shape, Device device = Device::cpu);  // not initialised
  static Buffer zeros(DType dtype, const Shape& shape);                  // on the CPU
  static Buffer copy_of(const ConstTensor& source, DType dtype);         // on the CPU, as copy() does it
  static Buffer copy_of(const ConstTensor& source) { return copy_of(source, source.dtype); }

  const Tensor& tensor() const { return tensor_; }
  operator Tensor() const { return tensor_; }
  operator ConstTensor() const { return tensor_; }

 private:
  Bytes bytes_;
  Tensor tensor_;
};

// Memory for values that live no longer than the call that takes them: a stack that grows in its first runs, becomes
// one piece when all of it has been given back, and then allocates nothing. Take inside a ScratchScope; everything
// taken is given back when the scope ends.
class Scratch {
 public:
  enum class Memory : uint8_t { real, planned };  // planned: tensors are counted and have no memory
  explicit Scratch(Device device = Device::cpu, Memory memory = Memory::real) : device_(device), memory_(memory) {}
  Tensor take(DType dtype, const Shape& shape);  // not initialised
  // Before a run that takes tensors of `bytes` in all: in one piece, behind what is taken already.
  void reserve(int64_t bytes);
  // How often a take found too little. What a graph is captured from may not add to it: growing allocates, and moves
  // what a next run takes.
  int64_t growths() const { return growths_; }
  int64_t reserved_bytes() const;
  int64_t most_bytes() const { return most_; }  // taken at once, so far

 private:
  friend class ScratchScope;
  struct Chunk {
    Bytes bytes;
    int64_t size;
  };
  bool unused() const { return chunk_ == 0 && offset_ == 0; }
  void add_chunk(int64_t size);
  void become_one(int64_t size);

  Device device_;
  Memory memory_;
  int64_t taken_ = 0, most_ = 0;  // bytes in use, at once
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;    // the one in use
  int64_t offset_ = 0;  // bytes taken from it
  int64_t growths_ = 0;
};

class ScratchScope {
 public:
  explicit ScratchScope(Scratch& scratch)
      : scratch_(scratch), chunk_(scratch.chunk_), offset_(scratch.offset_), taken_(scratch.taken_) {}
  ~ScratchScope() { scratch_.chunk_ = chunk_, scratch_.offset_ = offset_, scratch_.taken_ = taken_; }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Scratch& scratch_;
  size_t chunk_;
  int64_t offset_, taken_;
};

}  // namespace eyrie
