#include "attention/suffix_attention.h"

#include <fmt/core.h>

#include <array>

#include "attention/backend.h"
#include "attention/checks.h"

namespace eyrie {
namespace {

constexpr int64_t kMaxDepth = 16;

constexpr std::array<BackendEntry, 2> kBackends = {{
    // in the order that `auto` tries them
    {AttentionBackend::fused, "fused", fused::why_not, fused::scratch_bytes, fused::forward, fused::backward},
    {AttentionBackend::dense, "dense", dense::why_not, dense::scratch_bytes, dense::forward, dense::backward},
}};

const BackendEntry& entry_of(AttentionBackend backend) {
  for (const BackendEntry& entry : kBackends)
    if (entry.id == backend) return entry;
  throw Error(ErrorKind::internal, "attention", "a backend without an entry in the table");
}

void expect_ascending(const char* argument, const int32_t* index, int64_t rows, int64_t limit) {
  for (int64_t row = 0; row < rows; ++row) {
    if (index[row] < 0 || index[row] >= limit)
      expect(false, argument, fmt::format("row {}: expected an index below {}, found {}", row, limit, index[row]));
    if (row > 0 && index[row] <= index[row - 1])
      expect(false, argument,
             fmt::format("expected ascending values, found {} behind {} at row {}", index[row], index[row - 1], row));
  }
}

void check_positions(const SuffixAttention& problem, const AttentionSizes& sizes) {
  const int32_t* token = expect_indices("token", problem.token, sizes.rows);
  const int32_t* start = expect_indices("start", problem.start, sizes.rows);
  expect_ascending("token", token, sizes.rows, sizes.tokens);
  for (int64_t row = 0; row < sizes.rows; ++row) {
    if (start[row] < 0 || start[row] > token[row])
      expect(false, "start",
             fmt::format("row {}: expected a start up to its token {}, found {}", row, token[row], start[row]));
    if (row > 0 && start[row] != start[row - 1] && start[row] <= token[row - 1])
      expect(false, "start",
             fmt::format("row {} starts at {}, inside the sequence of the row before it (token {})", row, start[row],
                         token[row - 1]));
  }
}

void check(const SuffixAttention& problem) {
  expect_rows("q", problem.q, {-1, -1, -1});
  expect_rows("prefix_k", problem.prefix_k, {-1, -1, problem.q.dim(2)});
  expect_rows("prefix_v", problem.prefix_v, {problem.prefix_k.dim(0), problem.prefix_k.dim(1), -1});
  const int64_t q_heads = problem.q.dim(1), kv_heads = problem.prefix_k.dim(1);
  expect_heads(q_heads, kv_heads);
  expect(problem.q.dim(2) > 0 && problem.prefix_v.dim(2) > 0, "q", "expected a head dimension above 0");
  const AttentionSizes sizes(problem);
  check_positions(problem, sizes);
  expect(sizes.depth <= kMaxDepth, "suffix_k",
         fmt::format("expected at most {} suffix keys, found {}", kMaxDepth, sizes.depth));
  if (sizes.depth == 0) return;
  expect_rows("suffix_k", problem.suffix_k, {sizes.depth, -1, kv_heads, sizes.dim});
  expect_rows("suffix_v", problem.suffix_v, {sizes.depth, problem.suffix_k.dim(1), kv_heads, sizes.value_dim});
  const int32_t* suffix_row = expect_indices("suffix_row", problem.suffix_row, sizes.rows);
  expect_ascending("suffix_row", suffix_row, sizes.rows, problem.suffix_k.dim(1));
}

void check(const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const AttentionSizes sizes(problem);
  expect_rows("o", grad.o, {sizes.rows, sizes.q_heads, sizes.value_dim});
  expect_rows("lse", grad.lse, {sizes.rows, sizes.q_heads});
  expect_rows("d_o", grad.d_o, grad.o.shape);
  expect_rows("d_q", grad.d_q, problem.q.shape);
  expect_rows("d_prefix_k", grad.d_prefix_k, problem.prefix_k.shape);
  expect_rows("d_prefix_v", grad.d_prefix_v, problem.prefix_v.shape);
  if (sizes.depth == 0) return;
  expect_rows("d_suffix_k", grad.d_suffix_k, problem.suffix_k.shape);
  expect_rows("d_suffix_v", grad.d_suffix_v, problem.suffix_v.shape);
}

const BackendEntry& chosen(AttentionBackend wanted, const SuffixAttention& problem) {
  std::string reasons;
  for (const BackendEntry& entry : kBackends) {
    const std::string reason = entry.why_not(problem);
    if (reason.empty() && (wanted == AttentionBackend::automatic || wanted == entry.id)) return entry;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", entry.name, reason.empty() ? "takes it" : reason);
  }
  throw Error(ErrorKind::input, "attention", fmt::format("{} does not take this problem ({})", name(wanted), reasons));
}

}  // namespace

AttentionBackend find_backend(std::string_view wanted) {
  if (wanted == name(AttentionBackend::automatic)) return AttentionBackend::automatic;
  std::string known(name(AttentionBackend::automatic));
  for (const BackendEntry& entry : kBackends) {
    if (wanted == entry.name) return entry.id;
    known += fmt::format(", {}", entry.name);
  }
  throw Error(ErrorKind::usage, "attention", fmt::format("no backend \"{}\"; there are {}", wanted, known));
}

std::string_view name(AttentionBackend backend) {
  return backend == AttentionBackend::automatic ? "auto" : entry_of(backend).name;
}

AttentionBackend choose_backend(AttentionBackend wanted, const SuffixAttention& problem) {
  check(problem);
  return chosen(wanted, problem).id;
}

int64_t scratch_bytes(AttentionBackend backend, const SuffixAttention& problem) {
  check(problem);
  return chosen(backend, problem).scratch_bytes(problem);
}

void forward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  check(problem);
  const AttentionSizes sizes(problem);
  expect_rows("o", o, {sizes.rows, sizes.q_heads, sizes.value_dim});
  expect_rows("lse", lse, {sizes.rows, sizes.q_heads});
  chosen(backend, problem).forward(exec, problem, o, lse);
}

void backward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem,
              const SuffixAttentionBackward& grad) {
  check(problem);
  check(problem, grad);
  chosen(backend, problem).backward(exec, problem, grad);
}

}  // namespace eyrie
