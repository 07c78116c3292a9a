#include "testing/poison.h"

#include <algorithm>
#include <cstring>

#include "cuda/handles.h"

namespace eyrie::testing {
namespace {

constexpr int64_t kGuardBytes = 256;
constexpr unsigned char kPoison = 0xFF, kGuard = 0xA5;

void fill(const Exec& exec, void* bytes, unsigned char value, int64_t count) {
  if constexpr (kHasCuda)
    if (exec.device == Device::cuda) cuda::set_bytes(bytes, value, count, exec.stream);
  if (exec.device == Device::cpu) std::memset(bytes, value, static_cast<size_t>(count));
  exec.wait();
}

bool whole_guard(const unsigned char* bytes, Device device) {
  const Buffer here = on_cpu({bytes, DType::u8, {kGuardBytes}, device});
  const uint8_t* found = here.tensor().as<uint8_t>();
  return std::all_of(found, found + kGuardBytes, [](uint8_t byte) { return byte == kGuard; });
}

}  // namespace

Tensor CaseMemory::output(std::string_view name, const Shape& shape, std::optional<DType> wanted) {
  const DType dtype = wanted.value_or(exec_.activations);
  const int64_t size = shape.elements() * size_bytes(dtype);
  Guarded& made =
      buffers_.emplace_back(Guarded{std::string(name), allocate_bytes(size + 2 * kGuardBytes, exec_.device), size});
  auto* bytes = static_cast<unsigned char*>(made.bytes.get());
  fill(exec_, bytes, kGuard, size + 2 * kGuardBytes);
  fill(exec_, bytes + kGuardBytes, kPoison, size);
  return Tensor(bytes + kGuardBytes, dtype, shape, exec_.device);
}

Tensor CaseMemory::normal(std::string_view name, const Shape& shape, double deviation, std::optional<DType> dtype) {
  const Buffer values(DType::f32, shape);
  RandomStream stream(case_name_ + "/" + std::string(name));
  for (int64_t i = 0; i < shape.elements(); ++i)
    values.tensor().as<float>()[i] = static_cast<float>(deviation * stream.normal());
  return put(name, Buffer::copy_of(values, dtype.value_or(exec_.activations)));
}

Tensor CaseMemory::zeros(std::string_view name, const Shape& shape, DType dtype) {
  return put(name, Buffer::zeros(dtype, shape));
}

Tensor CaseMemory::integers(std::string_view name, const std::vector<int32_t>& values) {
  return put(name, ConstTensor(values.data(), DType::i32, {std::ssize(values)}));
}

Tensor CaseMemory::put(std::string_view name, const ConstTensor& values) {
  const Tensor made = output(name, values.shape, values.dtype);
  copy(exec_, values, made);
  exec_.wait();
  return made;
}

std::vector<Comparison> CaseMemory::broken_guards() const {
  std::vector<Comparison> broken;
  for (const Guarded& buffer : buffers_) {
    const auto* bytes = static_cast<const unsigned char*>(buffer.bytes.get());
    if (!whole_guard(bytes, exec_.device) || !whole_guard(bytes + kGuardBytes + buffer.size, exec_.device))
      broken.push_back({.tensor = buffer.name, .note = "written outside its bounds"});
  }
  return broken;
}

std::vector<Comparison> CaseMemory::with_guards(std::vector<Comparison> results) const {
  for (Comparison& broken : broken_guards()) results.push_back(std::move(broken));
  return results;
}

PoisonedScratch::PoisonedScratch(Exec& exec, int64_t bytes) : scratch_(exec.scratch) {
  constexpr int64_t kGpuRounding = 2048;  // of a few tensors to their alignment there, which `bytes` need not count
  scratch_.reserve(bytes + kGpuRounding + 2 * kGuardBytes);
  const ScratchScope scope(scratch_);
  Tensor all = scratch_.take(DType::u8, {bytes + kGpuRounding + kGuardBytes});
  if (all.device == Device::cpu) all = all.slice(0, bytes + kGuardBytes);
  fill(exec, all.data, kPoison, all.dim(0));
  guard_ = all.slice(all.dim(0) - kGuardBytes, all.dim(0));
  fill(exec, guard_.data, kGuard, kGuardBytes);
  growths_ = scratch_.growths();
}

std::vector<Comparison> PoisonedScratch::broken_guard() const {
  if (scratch_.growths() != growths_) return {{.tensor = "scratch", .note = "more taken than was asked for"}};
  if (!whole_guard(static_cast<const unsigned char*>(guard_.data), guard_.device))
    return {{.tensor = "scratch", .note = "written outside its bounds"}};
  return {};
}

}  // namespace eyrie::testing
