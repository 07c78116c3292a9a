// ops/door.h: what the doors of this room share. A door checks an op's tensors once, then calls the twin of exec's
// device: where a GPU has one, `if constexpr (kHasCuda)` stands in refuse_gpu's place. Private to the room.
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
inline void expect_floats(const Exec& exec, std::string_view argument, const ConstTensor& found, const Shape& shape) {
  expect_tensor(exec, argument, found, {DType::f32}, shape);
}

// For an op whose one twin is the CPU's.
inline void refuse_gpu(const Exec& exec, const char* op) {
  if (exec.device == Device::cuda) throw Error(ErrorKind::device, op, "not on a GPU yet");
}

}  // namespace eyrie
