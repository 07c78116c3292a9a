#include "attention/suffix_attention.h"

#include <fmt/core.h>

#include <array>

#include "attention/backend.h"
#include "attention/checks.h"
#include "attention/cost.h"
#include "base/has_cuda.h"
#include "base/log.h"

namespace eyrie {
namespace {

constexpr int64_t kMaxDepth = 16;

// In a build without CUDA the address is never taken: nobody has to define it.
constexpr const Implementation* if_built(const Implementation& on_gpu) { return kHasCuda ? &on_gpu : nullptr; }

struct Backend {
  AttentionBackend id;
  const char* name;
  std::array<const Implementation*, 2> implementations;  // in order of preference; null: not built
};

constexpr std::array<Backend, 4> kBackends = {{
    // in the order that `auto` tries them
    {AttentionBackend::fused, "fused", {if_built(gpu::sm80::kFused), &cpu::kFused}},
    {AttentionBackend::merge, "merge", {if_built(gpu::sm80::kMerge), &cpu::kMerge}},
    {AttentionBackend::masked, "masked", {if_built(gpu::sm80::kMasked), &cpu::kMasked}},
    {AttentionBackend::dense, "dense", {if_built(gpu::kDense), &cpu::kDense}},
}};

const Backend& backend_of(AttentionBackend id) {
  for (const Backend& backend : kBackends)
    if (backend.id == id) return backend;
  throw Error(ErrorKind::internal, "attention", "a backend without an entry in the table");
}

void check_positions(const SuffixAttention& problem, const AttentionSizes& sizes) {
  const Device device = problem.q.device;
  const int32_t* token = expect_indices("token", problem.token, sizes.rows, device);
  const int32_t* start = expect_indices("start", problem.start, sizes.rows, device);
  if (device != Device::cpu) return;
  expect_ascending("token", token, sizes.rows, sizes.tokens);
  expect_starts(start, token, sizes.rows);
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

// The indices are on the host in a dry run, wherever it plans to run.
AttentionCost cost_of(SuffixAttention problem) {
  Exec cpu;
  problem.token.device = problem.start.device = Device::cpu;
  return AttentionCost(cpu, problem);
}

// A dry run of a problem counts instead of running it.
void plan(Exec& exec, AttentionBackend backend, const SuffixAttention& problem, const cuda::LaunchCost& cost) {
  exec.flops += cost.flops;
  const ScratchScope scope(exec.scratch);
  exec.scratch.take(DType::u8, {scratch_bytes(backend, problem)});
}

// What of a backend runs a problem.
struct Choice {
  const Backend& backend;
  const Implementation* implementation;  // null: none
  std::string why_not;
};

Choice ask(const Backend& backend, const SuffixAttention& problem, Arguments others) {
  std::string why_not = fmt::format("it has no code for {}", name(problem.q.device));
  for (const Implementation* one : backend.implementations) {
    if (!one || one->device != problem.q.device) continue;
    why_not = one->why_not(problem, others);
    if (why_not.empty()) return {backend, one, ""};
  }
  return {backend, nullptr, why_not};  // the last one's: it asks for the least
}

Choice first_taker(const SuffixAttention& problem, Arguments others) {
  std::string reasons;  // "who: why; who: why"
  for (const Backend& backend : kBackends) {
    const Choice choice = ask(backend, problem, others);
    if (choice.implementation) return choice;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", backend.name, choice.why_not);
  }
  throw Error(ErrorKind::input, "attention", "no backend takes this problem: " + reasons);
}

Choice chosen(AttentionBackend wanted, const SuffixAttention& problem, Arguments others = {}) {
  const bool automatic = wanted == AttentionBackend::automatic;
  const Choice first = ask(automatic ? kBackends[0] : backend_of(wanted), problem, others);
  if (first.implementation) return first;
  const Choice taker = first_taker(problem, others);
  if (!automatic)
    throw Error(ErrorKind::input, "attention",
                fmt::format("{} does not take this problem: {}; {} would", first.backend.name, first.why_not,
                            taker.backend.name));
  log_info_once(fmt::format("attention: {} instead of {}: {}", taker.backend.name, first.backend.name, first.why_not));
  return taker;
}

}  // namespace

AttentionBackend find_backend(std::string_view wanted) {
  if (wanted == name(AttentionBackend::automatic)) return AttentionBackend::automatic;
  std::string known(name(AttentionBackend::automatic));
  for (const Backend& backend : kBackends) {
    if (wanted == backend.name) return backend.id;
    known += fmt::format(", {}", backend.name);
  }
  throw Error(ErrorKind::usage, "attention", fmt::format("no backend \"{}\"; there are {}", wanted, known));
}

std::string_view name(AttentionBackend backend) {
  return backend == AttentionBackend::automatic ? "auto" : backend_of(backend).name;
}

AttentionBackend choose_backend(AttentionBackend wanted, const SuffixAttention& problem) {
  check(problem);
  return chosen(wanted, problem).backend.id;
}

std::string_view implementation_name(AttentionBackend backend, const SuffixAttention& problem) {
  check(problem);
  return chosen(backend, problem).implementation->name;
}

int64_t scratch_bytes(AttentionBackend backend, const SuffixAttention& problem) {
  check(problem);
  return chosen(backend, problem).implementation->scratch_bytes(problem);
}

void suffix_attention(Exec& exec, AttentionBackend backend, const SuffixAttention& problem, const Tensor& o,
                      const Tensor& lse) {
  check(exec, problem);
  check_outputs(problem, o, lse);
  if (exec.planning) return plan(exec, backend, problem, cost_of(problem).forward(problem.depth()));
  const Argument written[] = {{"o", o}};
  const Choice choice = chosen(backend, problem, written);
  if (problem.q.dim(0) > 0) choice.implementation->forward(exec, problem, o, lse);
}

void suffix_attention_backward(Exec& exec, AttentionBackend backend, const SuffixAttention& problem,
                               const SuffixAttentionBackward& grad) {
  check(exec, problem);
  check(problem, grad);
  if (exec.planning) return plan(exec, backend, problem, cost_of(problem).backward(problem.depth()));
  const Argument others[] = {{"o", grad.o},
                             {"d_o", grad.d_o},
                             {"d_q", grad.d_q},
                             {"d_prefix_k", grad.d_prefix_k},
                             {"d_prefix_v", grad.d_prefix_v},
                             {"d_suffix_k", grad.d_suffix_k},
                             {"d_suffix_v", grad.d_suffix_v}};
  const Choice choice = chosen(backend, problem, others);
  if (problem.q.dim(0) > 0) choice.implementation->backward(exec, problem, grad);
}

}  // namespace eyrie
