#include "testing/poison.h"

#include <algorithm>
#include <cstring>

#include "cuda/handles.h"

namespace eyrie::testing {
namespace {

constexpr int64_t kGuardBytes = 256;
constexpr unsigned char kPoison = 0xFF, kGuard = 0xA5;

void fill(unsigned char* bytes, unsigned char value, int64_t count, Device device) {
  if constexpr (kHasCuda)
    if (device == Device::cuda) return cuda::set_bytes(bytes, value, count);
  std::memset(bytes, value, static_cast<size_t>(count));
}

bool whole_guard(const unsigned char* bytes, Device device) {
  unsigned char found[kGuardBytes];
  copy({bytes, DType::u8, {kGuardBytes}, device}, {found, DType::u8, {kGuardBytes}});
  return std::all_of(found, found + kGuardBytes, [](unsigned char byte) { return byte == kGuard; });
}

}  // namespace

Tensor CaseMemory::output(std::string_view name, const Shape& shape, DType dtype) {
  const int64_t size = shape.elements() * size_bytes(dtype);
  Guarded& made =
      buffers_.emplace_back(Guarded{std::string(name), allocate_bytes(size + 2 * kGuardBytes, device_), size});
  auto* bytes = static_cast<unsigned char*>(made.bytes.get());
  fill(bytes, kGuard, size + 2 * kGuardBytes, device_);
  fill(bytes + kGuardBytes, kPoison, size, device_);
  return Tensor(bytes + kGuardBytes, dtype, shape, device_);
}

Tensor CaseMemory::normal(std::string_view name, const Shape& shape, double deviation, DType dtype) {
  const Buffer values(DType::f32, shape);
  RandomStream stream(case_name_ + "/" + std::string(name));
  for (int64_t i = 0; i < shape.elements(); ++i)
    values.tensor().as<float>()[i] = static_cast<float>(deviation * stream.normal());
  const Tensor made = output(name, shape, dtype);
  copy(values, made);
  return made;
}

Tensor CaseMemory::zeros(std::string_view name, const Shape& shape, DType dtype) {
  const Tensor values = output(name, shape, dtype);
  fill_zero(values);
  return values;
}

Tensor CaseMemory::integers(std::string_view name, const std::vector<int32_t>& values) {
  const Shape shape = {static_cast<int64_t>(values.size())};
  const Tensor made = output(name, shape, DType::i32);
  copy({values.data(), DType::i32, shape}, made);
  return made;
}

std::vector<Comparison> CaseMemory::broken_guards() const {
  std::vector<Comparison> broken;
  for (const Guarded& buffer : buffers_) {
    const auto* bytes = static_cast<const unsigned char*>(buffer.bytes.get());
    if (!whole_guard(bytes, device_) || !whole_guard(bytes + kGuardBytes + buffer.size, device_))
      broken.push_back({.tensor = buffer.name, .note = "written outside its bounds"});
  }
  return broken;
}

std::vector<Comparison> CaseMemory::with_guards(std::vector<Comparison> results) const {
  for (Comparison& broken : broken_guards()) results.push_back(std::move(broken));
  return results;
}

PoisonedScratch::PoisonedScratch(Scratch& scratch, int64_t bytes) : scratch_(scratch) {
  constexpr int64_t kGpuRounding = 2048;  // of a few tensors to their alignment there, which `bytes` need not count
  scratch.reserve(bytes + kGpuRounding + 2 * kGuardBytes);
  const ScratchScope scope(scratch);
  Tensor all = scratch.take(DType::u8, {bytes + kGpuRounding + kGuardBytes});
  if (all.device == Device::cpu) all = all.slice(0, bytes + kGuardBytes);
  fill(static_cast<unsigned char*>(all.data), kPoison, all.dim(0), all.device);
  guard_ = all.slice(all.dim(0) - kGuardBytes, all.dim(0));
  fill(static_cast<unsigned char*>(guard_.data), kGuard, kGuardBytes, all.device);
  allocations_ = scratch.allocations();
}

std::vector<Comparison> PoisonedScratch::broken_guard() const {
  if (scratch_.allocations() != allocations_) return {{.tensor = "scratch", .note = "more taken than was asked for"}};
  if (!whole_guard(static_cast<const unsigned char*>(guard_.data), guard_.device))
    return {{.tensor = "scratch", .note = "written outside its bounds"}};
  return {};
}

}  // namespace eyrie::testing
