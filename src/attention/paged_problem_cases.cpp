#include "attention/paged_problem_cases.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cmath>
#include <numeric>

#include "attention/suffix_attention_reference.h"

namespace eyrie {
namespace {

constexpr int32_t kWild = 0x40000000;  // a page far outside
constexpr int kSparePages = 2;

std::string joined(const std::vector<int>& values) { return fmt::format("{}", fmt::join(values, "+")); }

std::vector<int32_t> shuffled(int64_t count, RandomStream stream) {
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  return order;
}

}  // namespace

std::string PagedShape::name() const {
  return fmt::format("d{}{}/h{}:{}/page{}/keys{}/rows{}", dim, value_dim ? fmt::format("v{}", value_dim) : "", q_heads,
                     kv_heads, page_size, joined(lengths), joined(rows));
}

PagedProblem::PagedProblem(const std::string& case_name, const PagedShape& shape)
    : shape_(shape), memory_(case_name), value_dim_(shape.value_dim ? shape.value_dim : shape.dim) {
  for (const int length : shape.lengths) {
    const int64_t used = (length + shape.page_size - 1) / shape.page_size;
    pages_ += used, table_width_ = std::max(table_width_, used + 1);
  }
  pages_ += kSparePages;
  make_pages();
  make_rows();
}

void PagedProblem::make_pages() {
  const int64_t tokens = std::accumulate(shape_.lengths.begin(), shape_.lengths.end(), int64_t{0});
  k_ = memory_.normal("k", {tokens, shape_.kv_heads, shape_.dim});
  v_ = memory_.normal("v", {tokens, shape_.kv_heads, value_dim_});
  problem.cache.k = memory_.output("k pages", {pages_, shape_.page_size, shape_.kv_heads, shape_.dim});
  problem.cache.v = memory_.output("v pages", {pages_, shape_.page_size, shape_.kv_heads, value_dim_});
  const std::vector<int32_t> order = shuffled(pages_, RandomStream("page order"));
  std::vector<int32_t> table, slots;
  size_t next = 0;
  for (const int length : shape_.lengths) {
    first_token_.push_back(static_cast<int32_t>(slots.size()));
    const size_t row = table.size();
    for (int position = 0; position < length; position += shape_.page_size) table.push_back(order[next++]);
    table.resize(row + static_cast<size_t>(table_width_), kWild);
    for (int position = 0; position < length; ++position)
      slots.push_back(slot_of(table.data() + row, shape_.page_size, position));
  }
  Exec exec;
  append(exec, problem.cache, k_, v_, memory_.integers("slots", slots));
  problem.page_table =
      memory_.integers("page table", table).reshape({static_cast<int64_t>(shape_.lengths.size()), table_width_});
}

void PagedProblem::make_rows() {
  std::vector<int32_t> sequence, position;
  for (size_t i = 0; i < shape_.lengths.size(); ++i)
    for (int row = shape_.lengths[i] - shape_.rows[i]; row < shape_.lengths[i]; ++row)
      sequence.push_back(static_cast<int32_t>(i)), position.push_back(row);
  sequence.push_back(-1), position.push_back(-1);
  problem.q = memory_.normal("q", {static_cast<int64_t>(position.size()), shape_.q_heads, shape_.dim});
  problem.row_sequence = memory_.integers("row sequence", sequence);
  problem.row_position = memory_.integers("row position", position);
  problem.scale = static_cast<float>(1 / std::sqrt(shape_.dim));
}

Tensor PagedProblem::output(std::string_view name, int64_t rows) {
  return memory_.output(name, {rows, shape_.q_heads, value_dim_});
}

PagedAttention PagedProblem::part(int64_t row, int64_t count) const {
  PagedAttention one = problem;
  one.q = problem.q.slice(row, row + count);
  one.row_sequence = problem.row_sequence.slice(row, row + count);
  one.row_position = problem.row_position.slice(row, row + count);
  return one;
}

std::vector<double> PagedProblem::expected() const {
  const auto doubles = [](const ConstTensor& tensor) { return testing::to_doubles(tensor); };
  const int64_t asking = rows() - 1;
  SuffixAttentionReference<double> reference = {.q_heads = shape_.q_heads,
                                                .kv_heads = shape_.kv_heads,
                                                .dim = shape_.dim,
                                                .value_dim = value_dim_,
                                                .depth = 0,
                                                .suffix_rows = 0,
                                                .scale = problem.scale,
                                                .token = {},
                                                .start = {},
                                                .suffix_row = {},
                                                .q = doubles(problem.q.slice(0, asking)),
                                                .prefix_k = doubles(k_),
                                                .prefix_v = doubles(v_),
                                                .suffix_k = {},
                                                .suffix_v = {},
                                                .o = {},
                                                .lse = {}};
  for (int64_t row = 0; row < asking; ++row) {
    const int32_t first = first_token_[static_cast<size_t>(problem.row_sequence.as<int32_t>()[row])];
    reference.start.push_back(first);
    reference.token.push_back(first + problem.row_position.as<int32_t>()[row]);
  }
  reference.forward();
  reference.o.resize(static_cast<size_t>(rows() * shape_.q_heads * value_dim_), 0.0);  // the row that sees nothing
  return reference.o;
}

}  // namespace eyrie
