#include "attention/paged_attention.h"

#include <gtest/gtest.h>

#include "attention/paged_problem_cases.h"
#include "testing/threads.h"

namespace eyrie {
namespace {

using testing::compare_bits;
using testing::Comparison;

const PagedShape kMixed = {.lengths = {300, 1, 64, 129, 65},
                           .rows = {5, 1, 3, 40, 16},
                           .q_heads = 6,
                           .kv_heads = 2,
                           .dim = 64,
                           .page_size = 16};

Tensor run(PagedProblem& made, const PagedAttention& problem, int64_t rows) {
  Exec exec;
  const Tensor o = made.output("o", rows);
  paged_attention(exec, problem, o);
  return o;
}

// Spec: a verify row gives bitwise what single-row decode gives.
TEST(PagedAttention, RowsDoNotDependOnTheRowsBesideThem) {
  PagedProblem made("rows", kMixed);
  const Tensor together = run(made, made.problem, made.rows());
  for (const int64_t count : {1, 3, 17})
    for (int64_t row = 0; row + count <= made.rows(); row += count) {
      const Tensor apart = run(made, made.part(row, count), count);
      const Comparison same = compare_bits("o", apart, together.slice(row, row + count));
      ASSERT_TRUE(same.passed()) << "rows " << row << " to " << row + count << ": " << same.text();
    }
}

TEST(PagedAttention, PageSizeAndThreadsDoNotMatter) {
  PagedProblem first("pages", kMixed);
  const Tensor expected = run(first, first.problem, first.rows());
  for (const int page_size : {1, 7, 64, 512}) {
    PagedShape shape = kMixed;
    shape.page_size = page_size;
    PagedProblem made("pages", shape);
    const testing::Threads threads(page_size == 7 ? 1 : 3);
    const Comparison same = compare_bits("o", run(made, made.problem, made.rows()), expected);
    EXPECT_TRUE(same.passed()) << page_size << ": " << same.text();
  }
}

TEST(PagedAttention, AppendWritesItsSlotsAlone) {
  testing::CaseMemory memory("append");
  Exec exec;
  const PagedCache cache = {.k = memory.zeros("k pages", {3, 4, 2, 8}), .v = memory.zeros("v pages", {3, 4, 2, 6})};
  const Tensor k = memory.normal("k", {3, 2, 8}), v = memory.normal("v", {3, 2, 6});
  append(exec, cache, k, v, memory.integers("slot", {9, -1, 2}));
  const Tensor flat_k = cache.k.reshape({12, 2, 8}), flat_v = cache.v.reshape({12, 2, 6});
  for (int64_t slot = 0; slot < 12; ++slot) {
    const int64_t row = slot == 9 ? 0 : slot == 2 ? 2 : -1;
    const Tensor zero_k = memory.zeros("zero", {2, 8}), zero_v = memory.zeros("zero", {2, 6});
    EXPECT_TRUE(compare_bits("k", flat_k[slot], row < 0 ? zero_k : k[row]).passed()) << slot;
    EXPECT_TRUE(compare_bits("v", flat_v[slot], row < 0 ? zero_v : v[row]).passed()) << slot;
  }
  EXPECT_TRUE(memory.broken_guards().empty());
}

TEST(PagedAttention, BadInputIsNamed) {
  PagedProblem made("bad input",
                    {.lengths = {20, 3}, .rows = {2, 1}, .q_heads = 2, .kv_heads = 1, .dim = 32, .page_size = 8});
  const auto message = [&](const std::function<void(PagedAttention&)>& spoil) -> std::string {
    PagedAttention problem = made.problem;
    spoil(problem);
    try {
      run(made, problem, made.rows());
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([](PagedAttention& p) { p.q = p.q.slice(0, 3); }), "row_sequence: expected shape [3], found [4]");
}

}  // namespace
}  // namespace eyrie
