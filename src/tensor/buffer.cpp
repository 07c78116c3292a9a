#include "tensor/buffer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "cuda/handles.h"

namespace eyrie {
namespace {

constexpr int64_t kAlignment = 64, kGpuAlignment = 256;
constexpr int64_t kFirstChunkBytes = int64_t{1} << 20;

int64_t rounded(int64_t bytes, int64_t alignment) {
  return (std::max<int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
}

int64_t aligned(int64_t bytes, Device device) {
  return rounded(bytes, device == Device::cpu ? kAlignment : kGpuAlignment);
}

}  // namespace

void FreeBytes::operator()(void* pointer) const {
  if constexpr (kHasCuda) {
    if (pinned) return cuda::free_pinned(pointer);
    if (device == Device::cuda) return cuda::free_memory(pointer);
  }
  std::free(pointer);
}

Bytes allocate_pinned(int64_t bytes) {
  expect_cuda();
  if constexpr (kHasCuda) return Bytes(cuda::allocate_pinned(bytes), {.pinned = true});
  return {};
}

Bytes allocate_bytes(int64_t bytes, Device device, std::string_view purpose) {
  if (device == Device::cuda) {
    expect_cuda();
    if constexpr (kHasCuda) return Bytes(cuda::allocate(bytes, purpose), {Device::cuda});
  }
  void* pointer = std::aligned_alloc(kAlignment, static_cast<size_t>(rounded(bytes, kAlignment)));
  if (!pointer)
    throw Error(ErrorKind::device, "out of memory",
                fmt::format("expected {} bytes for {}, found fewer", bytes, purpose));
  return Bytes(pointer);
}

Buffer::Buffer(DType dtype, const Shape& shape, Device device)
    : bytes_(allocate_bytes(shape.elements() * size_bytes(dtype), device,
                            fmt::format("tensor of {} {}", name(dtype), to_string(shape)))),
      tensor_(bytes_.get(), dtype, shape, device) {}

Buffer Buffer::zeros(DType dtype, const Shape& shape) {
  Buffer made(dtype, shape);
  fill_zero(made.tensor_);
  return made;
}

Buffer Buffer::copy_of(const ConstTensor& source, DType dtype) {
  Buffer made(dtype, source.shape);
  copy(source, made.tensor_);
  return made;
}

void Scratch::add_chunk(int64_t size) { chunks_.push_back({allocate_bytes(size, device_, "scratch memory"), size}); }

void Scratch::become_one(int64_t size) {
  chunks_.clear();
  add_chunk(size);
}

void Scratch::reserve(int64_t bytes) {
  constexpr int64_t kTensors = 64;  // whose sizes may be rounded up
  const int64_t wanted = aligned(bytes + kTensors * kGpuAlignment, device_);
  if (unused()) {
    if (chunks_.size() != 1 || chunks_[0].size < wanted) become_one(std::max(wanted, reserved_bytes()));
    return;
  }
  // Behind the chunk in use, so that nothing taken moves; at the end, so that none is skipped for good.
  for (size_t i = chunk_; i < chunks_.size(); ++i)
    if (chunks_[i].size - (i == chunk_ ? offset_ : 0) >= wanted) return;
  add_chunk(wanted);
}

Tensor Scratch::take(DType dtype, const Shape& shape) {
  const int64_t size = aligned(shape.elements() * size_bytes(dtype), device_);
  most_ = std::max(most_, taken_ += size);
  // An address that nothing has: what reads it in spite of all stops at once.
  if (memory_ == Memory::planned) return Tensor(reinterpret_cast<void*>(kGpuAlignment), dtype, shape, device_);
  if (unused() && chunks_.size() > 1) become_one(reserved_bytes());
  while (chunk_ < chunks_.size() && offset_ + size > chunks_[chunk_].size) ++chunk_, offset_ = 0;
  if (chunk_ == chunks_.size()) {
    ++growths_;
    // A CPU's memory is not there until it is touched; a GPU's is asked for as it is needed.
    const int64_t as_much_again = device_ == Device::cpu ? reserved_bytes() : 0;
    add_chunk(std::max({size, kFirstChunkBytes, as_much_again}));
  }
  void* data = static_cast<unsigned char*>(chunks_[chunk_].bytes.get()) + offset_;
  offset_ += size;
  return Tensor(data, dtype, shape, device_);
}

int64_t Scratch::reserved_bytes() const {
  int64_t sum = 0;
  for (const Chunk& chunk : chunks_) sum += chunk.size;
  return sum;
}

}  // namespace eyrie
