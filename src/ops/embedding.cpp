#include "ops/embedding.h"

#include <fmt/core.h>

#include "ops/door.h"
#include "ops/parallel.h"

namespace eyrie {
namespace cpu {
namespace {

void embed(Exec& exec, const Embed& op) {
  const int32_t* id = op.ids.as<int32_t>();
  const int64_t rows = op.ids.dim(0), tokens = op.table.dim(0);
  for (int64_t r = 0; r < rows; ++r)
    if (id[r] < 0 || id[r] >= tokens)
      throw Error(ErrorKind::input, "ids",
                  fmt::format("row {}: expected a token id below {}, found {}", r, tokens, id[r]));
  for_each_range(exec, rows, 1, op.y.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) copy(op.table[id[r]], op.y[r]);
  });
}

}  // namespace
}  // namespace cpu

void embed(Exec& exec, const Embed& op) {
  if (exec.device == Device::cpu)
    expect_tensor(exec, "table", op.table, {DType::f32, DType::bf16, DType::f16}, {-1, -1});
  else
    expect_floats(exec, "table", op.table, {-1, -1});
  expect_tensor(exec, "ids", op.ids, {DType::i32}, {-1});
  expect_floats(exec, "y", op.y, {op.ids.dim(0), op.table.dim(1)});
  run_twin<cpu::embed, cuda::embed>(exec, op);
}

}  // namespace eyrie
