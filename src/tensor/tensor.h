// tensor/tensor.h: views of memory somebody else owns, passed by value: Tensor is written, ConstTensor is read.
#pragma once
#include <initializer_list>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace eyrie {

enum class Device : uint8_t { cpu, cuda };
constexpr const char* name(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

// The typed form of a tensor inside a kernel or loop: t(i, j, k) and the pointer to a row.
template <typename T, int Rank>
struct View {
  T* data;
  int64_t dims[Rank];
  int64_t strides[Rank];  // in elements; the last is 1

  template <typename... Index>
  constexpr T* row(Index... index) const {  // fewer indices than Rank: the start of that slice
    T* pointer = data;
    int axis = 0;
    ((pointer += static_cast<int64_t>(index) * strides[axis++]), ...);
    return pointer;
  }
  template <typename... Index>
  constexpr T& operator()(Index... index) const {
    static_assert(sizeof...(Index) == Rank, "one index per dimension");
    return *row(index...);
  }
};

template <typename Void>  // void or const void
struct BasicTensor {
  template <typename T>
  using Element = std::conditional_t<std::is_const_v<Void>, const T, T>;
  using Byte = Element<unsigned char>;

  Void* data = nullptr;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  Shape shape;
  int64_t strides[kMaxRank] = {};  // in elements

  BasicTensor() = default;
  BasicTensor(Void* data_, DType dtype_, const Shape& shape_, Device device_ = Device::cpu)
      : data(data_), dtype(dtype_), device(device_), shape(shape_) {
    int64_t stride = 1;
    for (int i = shape.rank - 1; i >= 0; --i) strides[i] = stride, stride *= shape[i];
  }

  bool defined() const { return data != nullptr; }
  int rank() const { return shape.rank; }
  int64_t dim(int i) const { return shape[i < 0 ? i + shape.rank : i]; }
  int64_t elements() const { return shape.elements(); }
  int64_t bytes() const { return elements() * size_bytes(dtype); }
  bool contiguous() const {
    int64_t stride = 1;
    for (int i = shape.rank - 1; i >= 0; --i) {
      if (shape[i] != 1 && strides[i] != stride) return false;
      stride *= shape[i];
    }
    return true;
  }

  // Rows [begin, end) of the first dimension.
  BasicTensor slice(int64_t begin, int64_t end) const {
    BasicTensor part = *this;
    part.data = reinterpret_cast<Byte*>(data) + begin * strides[0] * size_bytes(dtype);
    part.shape.dims[0] = end - begin;
    return part;
  }
  // Element `index` of the first dimension, one dimension fewer.
  BasicTensor operator[](int64_t index) const {
    BasicTensor part = slice(index, index + 1);
    part.shape.rank--;
    for (int i = 0; i < part.shape.rank; ++i) part.shape.dims[i] = shape[i + 1], part.strides[i] = strides[i + 1];
    return part;
  }
  // The same elements under another shape; the tensor must be contiguous and the element count equal.
  BasicTensor reshape(const Shape& other) const {
    if (!contiguous() || other.elements() != elements())
      throw Error(ErrorKind::internal, "reshape", to_string(shape) + " cannot be viewed as " + to_string(other));
    return BasicTensor(data, dtype, other, device);
  }

  // The elements as T, in order; the tensor must be contiguous and hold T. A loop of the CPU asks for them as they are;
  // the launcher of a kernel, which reads none itself, for those on Device::cuda.
  template <typename T>
  Element<T>* as(Device reader = Device::cpu) const {
    check_use(kDType<std::remove_const_t<T>>, reader);
    if (!contiguous()) throw Error(ErrorKind::internal, "tensor", "expected contiguous elements");
    return static_cast<Element<T>*>(data);
  }
  template <typename T, int Rank>
  View<Element<T>, Rank> view(Device reader = Device::cpu) const {
    check_use(kDType<std::remove_const_t<T>>, reader);
    if (shape.rank != Rank || (shape[Rank - 1] > 1 && strides[Rank - 1] != 1))
      throw Error(ErrorKind::internal, "view", "a " + to_string(shape) + " tensor does not fit the loop that reads it");
    View<Element<T>, Rank> typed;
    typed.data = static_cast<Element<T>*>(data);
    for (int i = 0; i < Rank; ++i) typed.dims[i] = shape[i], typed.strides[i] = strides[i];
    return typed;
  }

 private:
  void check_use(DType wanted, Device reader) const {
    if (dtype != wanted)
      throw Error(ErrorKind::internal, "tensor", std::string("expected ") + name(wanted) + ", found " + name(dtype));
    if (device != reader)
      throw Error(ErrorKind::internal, "tensor",
                  "a " + to_string(shape) + " tensor on " + name(device) + " cannot be read on " + name(reader));
  }
};

struct ConstTensor : BasicTensor<const void> {
  using BasicTensor::BasicTensor;
  ConstTensor() = default;
  ConstTensor(const BasicTensor<const void>& other) : BasicTensor(other) {}
  ConstTensor(const BasicTensor<void>& other) : BasicTensor(other.data, other.dtype, other.shape, other.device) {
    for (int i = 0; i < kMaxRank; ++i) strides[i] = other.strides[i];
  }
};
using Tensor = BasicTensor<void>;

// Door checks: throw Error{input} naming the argument, what was expected and what was found. A size of -1 fits any.
void expect_shape(std::string_view argument, const ConstTensor& found, const Shape& expected);
void expect_dtype(std::string_view argument, const ConstTensor& found, std::initializer_list<DType> expected);
void expect_device(std::string_view argument, const ConstTensor& found, Device expected);
void expect_cuda();  // Error{device} with the reason when this program has no GPU to run on

// Tensors of the CPU; tensor/exec.h has these for every device. Copies elements into `to` (same shape), converting
// between f32, bf16 and f16; other types must be equal.
void copy(const ConstTensor& from, const Tensor& to);
void fill_zero(const Tensor& tensor);  // contiguous

}  // namespace eyrie
