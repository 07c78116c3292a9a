// ops/door.h: what the doors of this room share. A door checks an op's tensors once, then calls the twin of exec's
// device. Private to the room.
#pragma once
#include "tensor/exec.h"

namespace eyrie {

// Error{input} naming the argument unless it lies on exec's device with one of these dtypes and this shape (-1: any).
inline void expect_tensor(const Exec& exec, std::string_view argument, const ConstTensor& found,
                          std::initializer_list<DType> dtypes, const Shape& shape) {
  expect_dtype(argument, found, dtypes);
  expect_shape(argument, found, shape);
  expect_device(argument, found, exec.device);
}
// Activations: f32, on a GPU bf16 too.
inline void expect_floats(const Exec& exec, std::string_view argument, const ConstTensor& found, const Shape& shape) {
  if (exec.device == Device::cpu) return expect_tensor(exec, argument, found, {DType::f32}, shape);
  expect_tensor(exec, argument, found, {DType::f32, DType::bf16}, shape);
}
// Of the same dtype as another argument.
inline void expect_like(const Exec& exec, std::string_view argument, const ConstTensor& found, const ConstTensor& other,
                        const Shape& shape) {
  expect_tensor(exec, argument, found, {other.dtype}, shape);
}
// Sums, statistics and gradients of weights, on every device.
inline void expect_f32(const Exec& exec, std::string_view argument, const ConstTensor& found, const Shape& shape) {
  expect_tensor(exec, argument, found, {DType::f32}, shape);
}

// The end of a door: a dry run counts the op, else the twin of exec's device runs it.
template <auto kCpu, auto kCuda, typename Op>
auto run_twin(Exec& exec, const Op& op, double flops = 0) {
  using Result = decltype(kCpu(exec, op));
  if (exec.planning) return exec.flops += flops, Result();
  if constexpr (kHasCuda)
    if (exec.device == Device::cuda) return kCuda(exec, op);
  return kCpu(exec, op);
}
inline double product_flops(int64_t rows, int64_t in, int64_t out) {
  return 2 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
}

}  // namespace eyrie
