#include "tensor/finite.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace eyrie {
namespace {

// A float is not finite when all bits of its exponent are set: integers, so that the loop over 16-bit floats is as
// wide as its loads.
template <typename Bits>
int64_t count_not_finite(const Bits* x, int64_t elements, Bits exponent) {
  int64_t count = 0;
#pragma omp simd reduction(+ : count)
  for (int64_t i = 0; i < elements; ++i) count += (x[i] & exponent) == exponent;
  return count;
}

template <typename Bits>
std::string sentence(const ConstTensor& tensor, Bits exponent) {
  const int64_t elements = tensor.elements();
  const auto* x = static_cast<const Bits*>(tensor.data);
  const int64_t count = count_not_finite(x, elements, exponent);
  if (count == 0) return "";
  const int64_t first = std::find_if(x, x + elements, [&](Bits bits) { return (bits & exponent) == exponent; }) - x;
  std::vector<int64_t> place(static_cast<size_t>(tensor.rank()));
  for (int64_t axis = tensor.rank() - 1, rest = first; axis >= 0; rest /= tensor.dim(static_cast<int>(axis--)))
    place[static_cast<size_t>(axis)] = rest % tensor.dim(static_cast<int>(axis));
  const auto mantissa = static_cast<Bits>((exponent & -exponent) - 1);
  return fmt::format("expected finite values, found {} at [{}] ({} of {} not finite)",
                     x[first] & mantissa ? "nan" : "inf", fmt::join(place, ", "), count, elements);
}

}  // namespace

std::string why_not_finite(const ConstTensor& tensor) {
  if (tensor.dtype == DType::f32) return sentence<uint32_t>(tensor, 0x7f800000);
  if (tensor.dtype == DType::bf16) return sentence<uint16_t>(tensor, 0x7f80);
  if (tensor.dtype == DType::f16) return sentence<uint16_t>(tensor, 0x7c00);
  return "";
}

}  // namespace eyrie
