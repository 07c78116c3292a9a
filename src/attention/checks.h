// attention/checks.h: what the doors of this room ask of an argument. Each throws Error{input} in the argument's name.
#pragma once
#include <string>

#include "tensor/tensor.h"

namespace eyrie {

void expect(bool right, const char* argument, const std::string& message);
// What a tensor holds, and where.
struct Kind {
  DType dtype = DType::f32;
  Device device = Device::cpu;
};
// Of this kind and shape (-1 fits any), rows of the last dimension contiguous.
void expect_rows(const char* argument, const ConstTensor& found, const Shape& shape, const Kind& kind = {});
// i32 [count] on this device, contiguous. The indices may be read where that is the CPU.
const int32_t* expect_indices(const char* argument, const ConstTensor& found, int64_t count,
                              Device device = Device::cpu);
// Each of `rows` values is in [0, limit) and above the one before it.
void expect_ascending(const char* argument, const int32_t* index, int64_t rows, int64_t limit);
// start[r] <= token[r] (null: r), and a new sequence starts behind the row before it.
void expect_starts(const int32_t* start, const int32_t* token, int64_t rows);
void expect_heads(int64_t q_heads, int64_t kv_heads);  // grouped-query attention: a whole number of query heads each

}  // namespace eyrie
