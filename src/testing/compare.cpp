#include "testing/compare.h"

#include <fmt/core.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/exec.h"

namespace eyrie::testing {
namespace {

constexpr double kTiny = 1e-300;

// Where element `index` (of the first `axes` dimensions, in order) lies: "[3, 1]".
std::string position(const Shape& shape, int axes, int64_t index) {
  Shape place;
  place.rank = axes;
  for (int i = axes - 1; i >= 0; --i) place.dims[i] = index % shape[i], index /= shape[i];
  return to_string(place);
}

bool same_kind(double a, double b) {
  if (std::isfinite(a) && std::isfinite(b)) return true;
  return std::isnan(a) ? std::isnan(b) : a == b;
}

double element(const ConstTensor& tensor, const void* data, int64_t index) {
  switch (tensor.dtype) {
    case DType::bf16:
      return to_float(static_cast<const bf16*>(data)[index]);
    case DType::f16:
      return to_float(static_cast<const f16*>(data)[index]);
    case DType::f32:
      return static_cast<const float*>(data)[index];
    case DType::i32:
      return static_cast<const int32_t*>(data)[index];
    default:
      throw Error(ErrorKind::internal, "compare", std::string("expected a float tensor, found ") + name(tensor.dtype));
  }
}

// Sums and worst places in one walk over rows of the last dimension.
struct Walk {
  double difference2 = 0, expected2 = 0, worst_row2 = 0, worst_element = -1;
  int64_t worst_row_index = 0, worst_element_index = 0;

  void add_row(Comparison& result, const double* found, const double* expected, int64_t row, int64_t width) {
    double row2 = 0;
    for (int64_t i = 0; i < width; ++i) {
      if (!same_kind(found[i], expected[i])) {
        if (result.nonfinite++ == 0) worst_element = INFINITY, worst_element_index = row * width + i;
        continue;
      }
      if (!std::isfinite(expected[i])) continue;
      const double difference = std::abs(found[i] - expected[i]);
      row2 += difference * difference;
      expected2 += expected[i] * expected[i];
      if (difference > worst_element) worst_element = difference, worst_element_index = row * width + i;
    }
    difference2 += row2;
    if (row2 > worst_row2) worst_row2 = row2, worst_row_index = row;
  }
};

}  // namespace

bool Comparison::passed() const {
  return note.empty() && nonfinite == 0 && relative_l2 <= tolerance.relative_l2 && row_error <= tolerance.row;
}

std::string Comparison::text() const {
  if (!note.empty()) return fmt::format("{}: {}", tensor, note);
  return fmt::format(
      "{}: relative L2 {:.2e} (at most {:.0e}), worst row {} {:.2e} (at most {:.0e}), worst element {} found {:.9g} "
      "expected {:.9g}{}",
      tensor, relative_l2, tolerance.relative_l2, worst_row, row_error, tolerance.row, worst_element, found, expected,
      nonfinite ? fmt::format(", {} elements NaN or infinite in one of them alone", nonfinite) : "");
}

Buffer on_cpu(const ConstTensor& tensor) {
  if constexpr (kHasCuda)
    if (tensor.device == Device::cuda) cuda::wait_for_device();
  Exec exec(tensor.device);
  return to_cpu(exec, tensor);
}

std::vector<double> to_doubles(const ConstTensor& tensor) {
  if (tensor.device != Device::cpu) return to_doubles(on_cpu(tensor));
  std::vector<double> values;
  values.reserve(static_cast<size_t>(tensor.elements()));
  if (tensor.rank() > 1) {
    for (int64_t i = 0; i < tensor.dim(0); ++i) {
      const std::vector<double> part = to_doubles(tensor[i]);
      values.insert(values.end(), part.begin(), part.end());
    }
    return values;
  }
  for (int64_t i = 0; i < tensor.elements(); ++i) values.push_back(element(tensor, tensor.data, i * tensor.strides[0]));
  return values;
}

Comparison compare(std::string_view tensor, const ConstTensor& found, std::span<const double> expected,
                   Tolerance tolerance) {
  Comparison result{.tensor = std::string(tensor), .tolerance = tolerance};
  if (found.elements() != static_cast<int64_t>(expected.size())) {
    result.note = fmt::format("{} elements, expected {}", found.elements(), expected.size());
    return result;
  }
  if (expected.empty()) return result;
  const std::vector<double> values = to_doubles(found);
  const int64_t width = found.dim(-1), rows = found.elements() / width;
  Walk walk;
  for (int64_t row = 0; row < rows; ++row)
    walk.add_row(result, values.data() + row * width, expected.data() + row * width, row, width);
  result.relative_l2 = std::sqrt(walk.difference2 / std::max(walk.expected2, kTiny));
  result.row_error = std::sqrt(walk.worst_row2 / std::max(walk.expected2 / static_cast<double>(rows), kTiny));
  result.worst_row = position(found.shape, found.rank() - 1, walk.worst_row_index);
  result.worst_element = position(found.shape, found.rank(), walk.worst_element_index);
  result.found = values[static_cast<size_t>(walk.worst_element_index)];
  result.expected = expected[static_cast<size_t>(walk.worst_element_index)];
  return result;
}

Comparison compare(std::string_view tensor, const ConstTensor& found, const ConstTensor& expected,
                   Tolerance tolerance) {
  if (found.shape == expected.shape) return compare(tensor, found, to_doubles(expected), tolerance);
  return {.tensor = std::string(tensor),
          .note = fmt::format("shape {}, expected {}", to_string(found.shape), to_string(expected.shape))};
}

Comparison compare_bits(std::string_view tensor, const ConstTensor& found, const ConstTensor& expected) {
  Comparison result = compare(tensor, found, expected, {.relative_l2 = 0, .row = 0});
  if (!result.passed()) return result;
  const std::vector<double> a = to_doubles(found), b = to_doubles(expected);  // equal values may still differ in sign
  for (size_t i = 0; i < a.size(); ++i)
    if (!std::isnan(a[i]) && std::signbit(a[i]) != std::signbit(b[i])) {
      result.note =
          fmt::format("the sign of zero differs at {}", position(found.shape, found.rank(), static_cast<int64_t>(i)));
      return result;
    }
  return result;
}

}  // namespace eyrie::testing
