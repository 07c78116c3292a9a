#include "testing/poison.h"

#include <cstring>

namespace eyrie::testing {
namespace {

constexpr int64_t kGuardBytes = 256;
constexpr unsigned char kPoison = 0xFF, kGuard = 0xA5;

}  // namespace

Tensor CaseMemory::output(std::string_view name, const Shape& shape, DType dtype) {
  const int64_t size = shape.elements() * size_bytes(dtype);
  Guarded& made = buffers_.emplace_back(Guarded{std::string(name), allocate_bytes(size + 2 * kGuardBytes), size});
  auto* bytes = static_cast<unsigned char*>(made.bytes.get());
  std::memset(bytes, kGuard, static_cast<size_t>(size + 2 * kGuardBytes));
  std::memset(bytes + kGuardBytes, kPoison, static_cast<size_t>(size));
  return Tensor(bytes + kGuardBytes, dtype, shape);
}

Tensor CaseMemory::normal(std::string_view name, const Shape& shape, double deviation, DType dtype) {
  const Tensor values = output(name, shape, dtype);
  RandomStream stream(case_name_ + "/" + std::string(name));
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const auto value = static_cast<float>(deviation * stream.normal());
    if (dtype == DType::f32) values.as<float>()[i] = value;
    if (dtype == DType::bf16) values.as<bf16>()[i] = to_bf16(value);
    if (dtype == DType::f16) values.as<f16>()[i] = to_f16(value);
  }
  return values;
}

Tensor CaseMemory::zeros(std::string_view name, const Shape& shape, DType dtype) {
  const Tensor values = output(name, shape, dtype);
  fill_zero(values);
  return values;
}

Tensor CaseMemory::integers(std::string_view name, const std::vector<int32_t>& values) {
  const Tensor made = output(name, {static_cast<int64_t>(values.size())}, DType::i32);
  std::copy(values.begin(), values.end(), made.as<int32_t>());
  return made;
}

std::vector<Comparison> CaseMemory::broken_guards() const {
  std::vector<Comparison> broken;
  for (const Guarded& buffer : buffers_) {
    const auto* bytes = static_cast<const unsigned char*>(buffer.bytes.get());
    bool whole = true;
    for (int64_t i = 0; i < kGuardBytes; ++i)
      whole = whole && bytes[i] == kGuard && bytes[kGuardBytes + buffer.size + i] == kGuard;
    if (!whole) broken.push_back({.tensor = buffer.name, .note = "written outside its bounds"});
  }
  return broken;
}

}  // namespace eyrie::testing
