#include <fmt/core.h>

#include "ops/embedding.h"
#include "ops/ops_cases.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

using testing::CaseList;
using testing::CaseMemory;
using testing::Comparison;

// Rows in any order, one of them twice, into the left columns of a wider matrix.
std::vector<Comparison> check(Exec& exec, DType dtype, int64_t width) {
  CaseMemory memory(fmt::format("embedding/{}", name(dtype)), exec);
  const std::vector<int32_t> ids = {6, 0, 3, 3, 1};
  const Tensor table = memory.normal("table", {7, width}, 1.0, dtype);
  Tensor y = memory.output("y", {5, width + (width % 8 == 0 ? 8 : 2)});
  y.shape.dims[1] = width;
  embed(exec, {.table = table, .ids = memory.integers("ids", ids), .y = y});
  std::vector<Comparison> results;
  for (size_t r = 0; r < ids.size(); ++r)
    results.push_back(testing::compare(fmt::format("y[{}]", r), y[static_cast<int64_t>(r)],
                                       Buffer::copy_of(testing::on_cpu(table[ids[r]]), y.dtype),
                                       {.relative_l2 = 0, .row = 0}));
  return memory.with_guards(std::move(results));
}

}  // namespace

void add_embedding_cases(CaseList& cases) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const int64_t width : {1, 33, 40}) {
      const testing::Case one = {fmt::format("embedding/{}/{}", name(dtype), width),
                                 [=](Exec& exec) { return check(exec, dtype, width); },
                                 {},
                                 {}};
      if (dtype == DType::f16)
        cases.push_back(one);
      else
        testing::add_on_every_device(cases, one);
    }
}

}  // namespace eyrie
