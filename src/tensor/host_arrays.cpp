#include "tensor/host_arrays.h"

#include <algorithm>
#include <functional>

#include "tensor/exec.h"

namespace eyrie {
namespace {

constexpr int64_t kAlignment = 256;  // a GPU's: the offsets are the same on both sides
constexpr int64_t kLeastBytes = int64_t{1} << 14;

}  // namespace

HostArrays::HostArrays(const Exec& exec) : device_(exec.device), planned_(exec.planning) {}

void HostArrays::add_block(int64_t size) {
  const bool here = device_ == Device::cpu || planned_;
  Block block{.host = here ? allocate_bytes(size) : allocate_pinned(size), .device = {}, .size = size};
  if (!here) block.device = allocate_bytes(size, device_, "arrays from the host");
  blocks_.push_back(std::move(block));
  ++allocations_;
}

void* HostArrays::take_bytes(int64_t bytes) {
  const int64_t wanted = (std::max<int64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  if (blocks_.empty() || blocks_.back().used + wanted > blocks_.back().size)
    add_block(std::max({wanted, kLeastBytes, blocks_.empty() ? 0 : 2 * blocks_.back().size}));
  Block& block = blocks_.back();
  void* data = static_cast<unsigned char*>(block.host.get()) + block.used;
  block.used += wanted;
  return data;
}

void HostArrays::send(Exec& exec) {
  if constexpr (kHasCuda) {
    if (device_ == Device::cpu || planned_) return;
    for (const Block& block : blocks_) cuda::copy_bytes(block.device.get(), block.host.get(), block.used, exec.stream);
    if (!sent_) sent_ = cuda::Event::create();
    sent_.record(exec.stream);
    under_way_ = true;
  }
}

const void* HostArrays::find_there(const void* host) const {
  for (const Block& block : blocks_) {
    const auto* begin = static_cast<const unsigned char*>(block.host.get());
    const auto* at = static_cast<const unsigned char*>(host);
    if (std::less<>()(at, begin) || !std::less<>()(at, begin + block.used)) continue;
    return device_ == Device::cpu || planned_ ? at
                                              : static_cast<const unsigned char*>(block.device.get()) + (at - begin);
  }
  throw Error(ErrorKind::internal, "host arrays", "asked for an array that was not taken from them");
}

Tensor HostArrays::read(Exec& exec, const Tensor& result) {
  if (planned_) return result;
  const Tensor here(take_bytes(result.bytes()), result.dtype, result.shape);
  copy(exec, result, here);
  return here;
}

void HostArrays::clear() {
  if constexpr (kHasCuda)
    if (under_way_) sent_.synchronize();
  under_way_ = false;
  if (blocks_.size() > 1) {
    int64_t size = 0;
    for (const Block& block : blocks_) size += block.size;
    blocks_.clear();
    add_block(size);
  }
  if (!blocks_.empty()) blocks_.back().used = 0;
}

}  // namespace eyrie
