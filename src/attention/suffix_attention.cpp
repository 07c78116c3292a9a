#include "attention/suffix_attention.h"

#include <fmt/core.h>

#include <array>

#include "attention/backend.h"
#include "attention/checks.h"
#include "base/has_cuda.h"
#include "base/log.h"

namespace eyrie {
namespace {

constexpr int64_t kMaxDepth = 16;

// In a build without CUDA the address is never taken: nobody has to define it.
constexpr const DeviceFunctions* if_built(const DeviceFunctions& cuda) { return kHasCuda ? &cuda : nullptr; }

constexpr std::array<BackendEntry, 4> kBackends = {{
    // in the order that `auto` tries them
    {AttentionBackend::fused, "fused", &fused::kCpu, if_built(fused::kCuda)},
    {AttentionBackend::merge, "merge", &merge::kCpu, if_built(merge::kCuda)},
    {AttentionBackend::masked, "masked", &masked::kCpu, if_built(masked::kCuda)},
    {AttentionBackend::dense, "dense", &dense::kCpu, if_built(dense::kCuda)},
}};

const BackendEntry& entry_of(AttentionBackend backend) {
  for (const BackendEntry& entry : kBackends)
    if (entry.id == backend) return entry;
  throw Error(ErrorKind::internal, "attention", "a backend without an entry in the table");
}

const DeviceFunctions* functions_of(const BackendEntry& entry, Device device) {
  return device == Device::cpu ? entry.cpu : entry.cuda;
}

void check_positions(const SuffixAttention& problem, const AttentionSizes& sizes) {
  if (problem.whole_sequence && sizes.rows != sizes.tokens)
    expect(false, "whole_sequence",
           fmt::format("expected a row for every token, found {} for {}", sizes.rows, sizes.tokens));
  const Device device = problem.q.device;
  const int32_t* token = expect_indices("token", problem.token, sizes.rows, device);
  const int32_t* start = expect_indices("start", problem.start, sizes.rows, device);
  if (device != Device::cpu) return;
  expect_ascending("token", token, sizes.rows, sizes.tokens);
  expect_starts(start, token, sizes.rows);
  expect(!problem.whole_sequence || sizes.rows == 0 || start[sizes.rows - 1] == 0, "whole_sequence",
         "expected one sequence, found more");
}

// What every tensor of the model's dtype shares with q.
Kind kind_of(const SuffixAttention& problem) {
  const ConstTensor& q = problem.q;
  if (q.device == Device::cpu)
    expect_dtype("q", q, {DType::f32});
  else
    expect_dtype("q", q, {DType::bf16, DType::f16, DType::f32});
  expect(q.device == Device::cpu || kHasCuda, "q", "expected a tensor on cpu, found one on cuda: built without CUDA");
  return {q.dtype, q.device};
}

void check_suffix(const SuffixAttention& problem, const AttentionSizes& sizes, const Kind& kind) {
  expect(sizes.depth <= kMaxDepth, "suffix_k",
         fmt::format("expected at most {} suffix keys, found {}", kMaxDepth, sizes.depth));
  if (sizes.depth == 0) return;
  expect_rows("suffix_k", problem.suffix_k, {sizes.depth, -1, sizes.kv_heads, sizes.dim}, kind);
  const int64_t suffix_rows = problem.suffix_k.dim(1);
  expect_rows("suffix_v", problem.suffix_v, {sizes.depth, suffix_rows, sizes.kv_heads, sizes.value_dim}, kind);
  const int32_t* suffix_row = expect_indices("suffix_row", problem.suffix_row, sizes.rows, kind.device);
  if (kind.device == Device::cpu) expect_ascending("suffix_row", suffix_row, sizes.rows, suffix_rows);
}

void check(const SuffixAttention& problem) {
  const Kind kind = kind_of(problem);
  expect_rows("q", problem.q, {-1, -1, -1}, kind);
  expect_rows("prefix_k", problem.prefix_k, {-1, -1, problem.q.dim(2)}, kind);
  expect_rows("prefix_v", problem.prefix_v, {problem.prefix_k.dim(0), problem.prefix_k.dim(1), -1}, kind);
  expect_heads(problem.q.dim(1), problem.prefix_k.dim(1));
  expect(problem.q.dim(2) > 0 && problem.prefix_v.dim(2) > 0, "q", "expected a head dimension above 0");
  const AttentionSizes sizes(problem);
  check_positions(problem, sizes);
  check_suffix(problem, sizes, kind);
}

void check_outputs(const SuffixAttention& problem, const ConstTensor& o, const ConstTensor& lse) {
  const AttentionSizes sizes(problem);
  expect_rows("o", o, {sizes.rows, sizes.q_heads, sizes.value_dim}, kind_of(problem));
  expect_rows("lse", lse, {sizes.rows, sizes.q_heads}, {DType::f32, problem.q.device});
}

void check(const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  const Kind kind = kind_of(problem), sums = {DType::f32, kind.device};
  check_outputs(problem, grad.o, grad.lse);
  expect_rows("d_o", grad.d_o, grad.o.shape, kind);
  expect_rows("d_q", grad.d_q, problem.q.shape, kind);
  expect_rows("d_prefix_k", grad.d_prefix_k, problem.prefix_k.shape, sums);
  expect_rows("d_prefix_v", grad.d_prefix_v, problem.prefix_v.shape, sums);
  if (problem.depth() == 0) return;
  expect_rows("d_suffix_k", grad.d_suffix_k, problem.suffix_k.shape, sums);
  expect_rows("d_suffix_v", grad.d_suffix_v, problem.suffix_v.shape, sums);
}

void check(const Exec& exec, const SuffixAttention& problem) {
  check(problem);
  if (exec.device == problem.q.device) return;
  expect(false, "q",
         fmt::format("expected a tensor on {}, where it is to run, found one on {}", name(exec.device),
                     name(problem.q.device)));
}

std::string why_not(const BackendEntry& entry, const SuffixAttention& problem, Arguments others) {
  const DeviceFunctions* functions = functions_of(entry, problem.q.device);
  return functions ? functions->why_not(problem, others) : fmt::format("it has no code for {}", name(problem.q.device));
}

// "who: why; who: why"
std::string all_reasons(const SuffixAttention& problem, Arguments others) {
  std::string list;
  for (const BackendEntry& entry : kBackends)
    list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", entry.name, why_not(entry, problem, others));
  return list;
}

const BackendEntry* first_taker(const SuffixAttention& problem, Arguments others) {
  for (const BackendEntry& entry : kBackends)
    if (why_not(entry, problem, others).empty()) return &entry;
  return nullptr;
}

const BackendEntry& chosen(AttentionBackend wanted, const SuffixAttention& problem, Arguments others = {}) {
  const BackendEntry& first = wanted == AttentionBackend::automatic ? kBackends[0] : entry_of(wanted);
  const std::string reason = why_not(first, problem, others);
  if (reason.empty()) return first;
  const BackendEntry* taker = first_taker(problem, others);
  if (!taker)
    throw Error(ErrorKind::input, "attention", "no backend takes this problem: " + all_reasons(problem, others));
  if (wanted != AttentionBackend::automatic)
    throw Error(ErrorKind::input, "attention",
                fmt::format("{} does not take this problem: {}; {} would", first.name, reason, taker->name));
  log_info_once(fmt::format("attention: {} instead of {}: {}", taker->name, first.name, reason));
  return *taker;
}

const DeviceFunctions& functions_for(AttentionBackend wanted, const SuffixAttention& problem, Arguments others = {}) {
  return *functions_of(chosen(wanted, problem, others), problem.q.device);
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
  return functions_for(backend, problem).scratch_bytes(problem);
}

void suffix_attention(Exec& exec, AttentionBackend backend, const SuffixAttention& problem, const Tensor& o,
                      const Tensor& lse) {
  check(exec, problem);
  check_outputs(problem, o, lse);
  const Argument written[] = {{"o", o}};
  const DeviceFunctions& functions = functions_for(backend, problem, written);
  if (problem.q.dim(0) > 0) functions.forward(exec, problem, o, lse);
}

void suffix_attention_backward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem,
                               const SuffixAttentionBackward& grad) {
  check(exec, problem);
  check(problem, grad);
  const Argument others[] = {{"o", grad.o},
                             {"d_o", grad.d_o},
                             {"d_q", grad.d_q},
                             {"d_prefix_k", grad.d_prefix_k},
                             {"d_prefix_v", grad.d_prefix_v},
                             {"d_suffix_k", grad.d_suffix_k},
                             {"d_suffix_v", grad.d_suffix_v}};
  const DeviceFunctions& functions = functions_for(backend, problem, others);
  if (problem.q.dim(0) > 0) functions.backward(exec, problem, grad);
}

}  // namespace eyrie
