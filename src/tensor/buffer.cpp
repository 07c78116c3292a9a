#include "tensor/buffer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

namespace eyrie {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kFirstChunkBytes = int64_t{1} << 20;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void FreeBytes::operator()(void* pointer) const { std::free(pointer); }

Bytes allocate_bytes(int64_t bytes) {
  void* pointer = std::aligned_alloc(kAlignment, static_cast<size_t>(aligned(std::max<int64_t>(bytes, 1))));
  if (!pointer) throw Error(ErrorKind::device, "memory", fmt::format("could not allocate {} bytes", bytes));
  return Bytes(pointer);
}

Buffer::Buffer(DType dtype, const Shape& shape)
    : bytes_(allocate_bytes(shape.elements() * size_bytes(dtype))), tensor_(bytes_.get(), dtype, shape) {}

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

Tensor Scratch::take(DType dtype, const Shape& shape) {
  const int64_t bytes = aligned(std::max<int64_t>(shape.elements() * size_bytes(dtype), 1));
  while (chunk_ < chunks_.size() && offset_ + bytes > chunks_[chunk_].size) ++chunk_, offset_ = 0;
  if (chunk_ == chunks_.size()) {
    const int64_t size = std::max({bytes, kFirstChunkBytes, chunks_.empty() ? 0 : 2 * chunks_.back().size});
    chunks_.push_back({allocate_bytes(size), size});
    ++allocations_;
  }
  void* data = static_cast<unsigned char*>(chunks_[chunk_].bytes.get()) + offset_;
  offset_ += bytes;
  return Tensor(data, dtype, shape);
}

int64_t Scratch::reserved_bytes() const {
  int64_t sum = 0;
  for (const Chunk& chunk : chunks_) sum += chunk.size;
  return sum;
}

}  // namespace eyrie
