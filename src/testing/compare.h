// testing/compare.h: how far a tensor is from what it should be.
//   relative L2   |found - expected| / |expected|
//   worst row     the largest |found_row - expected_row| over the tensor's RMS row norm; a row is one run of the last
//                 dimension. It catches a wrong row that a large tensor's L2 would hide.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/buffer.h"

namespace eyrie::testing {

struct Tolerance {
  double relative_l2 = 1e-5;
  double row = 1e-4;
};

// Of a result computed with fp32 sums from, and rounded to, this dtype.
constexpr Tolerance tolerance_of(DType dtype) {
  return dtype == DType::f32 ? Tolerance{} : Tolerance{.relative_l2 = 1e-2, .row = 3e-2};
}

struct Comparison {
  std::string tensor = {};
  Tolerance tolerance = {};
  double relative_l2 = 0;
  double row_error = 0;
  std::string worst_row = {};      // its index without the last dimension, e.g. "[3, 1]"
  std::string worst_element = {};  // index of the largest difference
  double found = 0, expected = 0;  // at worst_element
  int64_t nonfinite = 0;           // places where one is NaN or infinite and the other is not (or is so otherwise)
  std::string note = {};           // a failure that is not a distance (a guard overwritten)

  bool passed() const;
  std::string text() const;  // one line
};

// `expected` in the order of the tensor's elements; found: f32, bf16 or f16, any strides.
Comparison compare(std::string_view tensor, const ConstTensor& found, std::span<const double> expected,
                   Tolerance tolerance = {});
Comparison compare(std::string_view tensor, const ConstTensor& found, const ConstTensor& expected,
                   Tolerance tolerance = {});
// Differs in any bit: fails with the first place.
Comparison compare_bits(std::string_view tensor, const ConstTensor& found, const ConstTensor& expected);

// Both of any device, when all of its streams are done.
std::vector<double> to_doubles(const ConstTensor& tensor);
Buffer on_cpu(const ConstTensor& tensor);

}  // namespace eyrie::testing
