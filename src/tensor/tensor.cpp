#include "tensor/tensor.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "cuda/handles.h"

namespace eyrie {

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank; ++i) text += (i ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
  return text + "]";
}

void expect_shape(std::string_view argument, const ConstTensor& found, const Shape& expected) {
  bool fits = found.rank() == expected.rank;
  for (int i = 0; fits && i < expected.rank; ++i) fits = expected[i] < 0 || expected[i] == found.dim(i);
  if (fits) return;
  throw Error(ErrorKind::input, std::string(argument),
              fmt::format("expected shape {}, found {}", to_string(expected), to_string(found.shape)));
}

void expect_dtype(std::string_view argument, const ConstTensor& found, std::initializer_list<DType> expected) {
  if (std::ranges::count(expected, found.dtype) > 0) return;
  std::string names;
  for (const DType dtype : expected) names += (names.empty() ? "" : " or ") + std::string(name(dtype));
  throw Error(ErrorKind::input, std::string(argument), fmt::format("expected {}, found {}", names, name(found.dtype)));
}

void expect_device(std::string_view argument, const ConstTensor& found, Device expected) {
  if (found.device == expected) return;
  throw Error(ErrorKind::input, std::string(argument),
              fmt::format("expected a tensor on {}, found one on {}", name(expected), name(found.device)));
}

void expect_cuda() {
  const std::string reason = cuda::why_no_device();
  if (!reason.empty()) throw Error(ErrorKind::device, "cuda", reason);
}

namespace {

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16; }

float load(const void* data, DType dtype, int64_t i) {
  if (dtype == DType::f32) return static_cast<const float*>(data)[i];
  if (dtype == DType::bf16) return to_float(static_cast<const bf16*>(data)[i]);
  return to_float(static_cast<const f16*>(data)[i]);
}

void store(void* data, DType dtype, int64_t i, float value) {
  if (dtype == DType::f32)
    static_cast<float*>(data)[i] = value;
  else if (dtype == DType::bf16)
    static_cast<bf16*>(data)[i] = to_bf16(value);
  else
    static_cast<f16*>(data)[i] = to_f16(value);
}

void copy_run(const ConstTensor& from, const Tensor& to) {  // both contiguous
  if (from.dtype == to.dtype) {
    if (from.elements() > 0) std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
    return;
  }
  for (int64_t i = 0; i < from.elements(); ++i) store(to.data, to.dtype, i, load(from.data, from.dtype, i));
}

}  // namespace

void copy(const ConstTensor& from, const Tensor& to) {
  expect_device("copy", from, Device::cpu);
  expect_device("copy", to, Device::cpu);
  expect_shape("copy", to, from.shape);
  if (from.dtype != to.dtype && !(is_float(from.dtype) && is_float(to.dtype))) expect_dtype("copy", to, {from.dtype});
  if (from.contiguous() && to.contiguous()) return copy_run(from, to);
  for (int64_t i = 0; i < from.dim(0); ++i) copy(from[i], to[i]);
}

void fill_zero(const Tensor& tensor) {
  expect_device("fill_zero", tensor, Device::cpu);
  if (!tensor.contiguous()) throw Error(ErrorKind::internal, "fill_zero", "expected contiguous elements");
  if (tensor.elements() > 0) std::memset(tensor.data, 0, static_cast<size_t>(tensor.bytes()));
}

}  // namespace eyrie
