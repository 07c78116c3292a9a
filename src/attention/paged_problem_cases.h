// attention/paged_problem_cases.h: problems of paged attention with known answers, for the cases and the tests of this
// room.
#pragma once
#include <string>
#include <vector>

#include "attention/paged_attention.h"
#include "testing/poison.h"

namespace eyrie {

struct PagedShape {
  std::vector<int> lengths;  // keys of each sequence
  std::vector<int> rows;     // its last rows that ask; the same count as lengths
  int q_heads, kv_heads, dim, page_size;
  int value_dim = 0;  // 0: dim
  std::string name() const;
};

// Pages lie in shuffled order; slots that hold no key are NaN, and table entries past a sequence's last page are wild.
// The keys themselves depend on the case's name alone, not on the page size. The last row of all sees nothing.
class PagedProblem {
 public:
  PagedProblem(const std::string& case_name, const PagedShape& shape);
  PagedAttention problem;

  int64_t rows() const { return problem.q.dim(0); }
  Tensor output(std::string_view name, int64_t rows);     // poisoned, guarded
  PagedAttention part(int64_t row, int64_t count) const;  // rows [row, row + count) as a call of their own
  std::vector<double> expected() const;                   // o, by suffix_attention_reference.h
  testing::CaseMemory& memory() { return memory_; }

 private:
  void make_pages();
  void make_rows();

  PagedShape shape_;
  testing::CaseMemory memory_;
  int64_t value_dim_ = 0, pages_ = 0, table_width_ = 0;
  std::vector<int32_t> first_token_;  // of each sequence in k_ and v_
  Tensor k_, v_;                      // [tokens, kv_heads, ...], all sequences end to end
};

}  // namespace eyrie
