#include "ops/embedding.h"

#include <fmt/core.h>

#include "ops/parallel.h"

namespace eyrie {

void embed(Exec& exec, ConstTensor table, ConstTensor ids, Tensor y) {
  expect_dtype("table", table, {DType::f32, DType::bf16, DType::f16});
  expect_shape("table", table, {-1, -1});
  expect_dtype("ids", ids, {DType::i32});
  expect_shape("ids", ids, {-1});
  expect_dtype("y", y, {DType::f32});
  expect_shape("y", y, {ids.dim(0), table.dim(1)});
  const int32_t* id = ids.as<int32_t>();
  for (int64_t r = 0; r < ids.dim(0); ++r)
    if (id[r] < 0 || id[r] >= table.dim(0))
      throw Error(ErrorKind::input, "ids",
                  fmt::format("row {}: expected a token id below {}, found {}", r, table.dim(0), id[r]));
  for_each_range(exec, ids.dim(0), 1, y.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) copy(table[id[r]], y[r]);
  });
}

}  // namespace eyrie
