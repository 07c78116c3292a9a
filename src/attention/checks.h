// attention/checks.h: what the doors of this room ask of an argument. Each throws Error{input} in the argument's name.
#pragma once
#include <string>

#include "tensor/tensor.h"

namespace eyrie {

void expect(bool right, const char* argument, const std::string& message);
// f32 on the CPU, of this shape (-1 fits any), rows of the last dimension contiguous.
void expect_rows(const char* argument, const ConstTensor& found, const Shape& shape);
// i32 [count] on the CPU, contiguous.
const int32_t* expect_indices(const char* argument, const ConstTensor& found, int64_t count);
void expect_heads(int64_t q_heads, int64_t kv_heads);  // grouped-query attention: a whole number of query heads each

}  // namespace eyrie
