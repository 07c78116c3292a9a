// tensor/finite.h: whether a tensor that somebody else wrote holds numbers.
#pragma once
#include <string>

#include "tensor/tensor.h"

namespace eyrie {

// A sentence when values of a float tensor (contiguous, on the CPU) are NaN or infinite: the first, its place, and how
// many they are. Empty otherwise, and for other types. Reads the whole tensor once, at the speed of memory.
std::string why_not_finite(const ConstTensor& tensor);

}  // namespace eyrie
