// The attention of one training step on a GPU: 7 depths forward, then 7 backward. docs/benchmarks.md holds the peers'
// figures from the same run (tools/bench_attention_peers.py).
#include <fmt/core.h>

#include <memory>
#include <numeric>

#include "attention/attention_cases.h"
#include "attention/cost.h"
#include "testing/gpu_rate.h"

namespace eyrie {
namespace {

constexpr int64_t kDepths = 7, kQueryHeads = 32, kKeyHeads = 8, kDim = 128;

struct LoopShape {
  std::string name;
  std::vector<int64_t> lengths;
  bool last_half = false;  // of each sequence: the rows that ask
  bool kernels = false;    // of forward and backward: each has a line of its own
};

Buffer on_gpu(Exec& exec, const std::vector<int32_t>& values) {
  return to_device(exec, {values.data(), DType::i32, {std::ssize(values)}}, DType::i32);
}

Buffer zeros_on_gpu(Exec& exec, const Shape& shape) {
  Buffer made(DType::f32, shape, Device::cuda);
  zero(exec, made);
  return made;
}

Buffer random_on_gpu(Exec& exec, const char* name, const Shape& shape) {
  Buffer made(DType::bf16, shape, Device::cuda);
  testing::gpu_fill_normal(exec, made, name);
  return made;
}

// The attention calls of a step, each depth with its own queries and outputs, all of them on the prefix of depth 0.
class TttLoop {
 public:
  TttLoop(Exec& exec, const LoopShape& shape);
  void forward(AttentionBackend backend);
  void backward(AttentionBackend backend);  // from the last depth down
  SuffixAttention problem(int64_t depth) const;
  double flops(bool with_backward) const { return forward_flops_ + (with_backward ? backward_flops_ : 0); }

 private:
  void choose_rows(const LoopShape& shape);

  Exec& exec_;
  int64_t tokens_ = 0, rows_ = 0;
  double forward_flops_ = 0, backward_flops_ = 0;
  Buffer token_, start_, suffix_row_;
  Buffer q_, o_, lse_, d_o_;  // [kDepths, rows, ...]
  Buffer prefix_k_, prefix_v_, suffix_k_, suffix_v_;
  Buffer d_q_;  // of the depth at hand
  Buffer d_prefix_k_, d_prefix_v_, d_suffix_k_, d_suffix_v_;
};

TttLoop::TttLoop(Exec& exec, const LoopShape& shape) : exec_(exec) {
  choose_rows(shape);
  const Shape queries = {kDepths, rows_, kQueryHeads, kDim}, prefix = {tokens_, kKeyHeads, kDim};
  const Shape suffix = {kDepths - 1, rows_, kKeyHeads, kDim};
  q_ = random_on_gpu(exec, "q", queries), d_o_ = random_on_gpu(exec, "d_o", queries);
  o_ = Buffer(DType::bf16, queries, Device::cuda);
  lse_ = Buffer(DType::f32, {kDepths, rows_, kQueryHeads}, Device::cuda);
  prefix_k_ = random_on_gpu(exec, "prefix_k", prefix), prefix_v_ = random_on_gpu(exec, "prefix_v", prefix);
  suffix_k_ = random_on_gpu(exec, "suffix_k", suffix), suffix_v_ = random_on_gpu(exec, "suffix_v", suffix);
  d_q_ = Buffer(DType::bf16, {rows_, kQueryHeads, kDim}, Device::cuda);
  for (Buffer* sum : {&d_prefix_k_, &d_prefix_v_}) *sum = zeros_on_gpu(exec, prefix);
  for (Buffer* sum : {&d_suffix_k_, &d_suffix_v_}) *sum = zeros_on_gpu(exec, suffix);
  for (int64_t depth = 0; depth < kDepths; ++depth) {
    const AttentionCost cost(exec, problem(depth));
    forward_flops_ += cost.forward(depth).flops;
    backward_flops_ += cost.backward(depth).flops;
  }
}

void TttLoop::choose_rows(const LoopShape& shape) {
  std::vector<int32_t> token, start;
  for (const int64_t length : shape.lengths) {
    for (int64_t position = shape.last_half ? length / 2 : 0; position < length; ++position) {
      token.push_back(static_cast<int32_t>(tokens_ + position));
      start.push_back(static_cast<int32_t>(tokens_));
    }
    tokens_ += length;
  }
  rows_ = static_cast<int64_t>(token.size());
  std::vector<int32_t> suffix_row(token.size());
  std::iota(suffix_row.begin(), suffix_row.end(), 0);
  token_ = on_gpu(exec_, token), start_ = on_gpu(exec_, start), suffix_row_ = on_gpu(exec_, suffix_row);
}

SuffixAttention TttLoop::problem(int64_t depth) const {
  SuffixAttention made = {.q = q_.tensor()[depth],
                          .prefix_k = prefix_k_,
                          .prefix_v = prefix_v_,
                          .token = token_,
                          .start = start_,
                          .scale = 0.08838834764831845f};  // 1 / sqrt(kDim)
  if (depth == 0) return made;
  made.suffix_k = suffix_k_.tensor().slice(0, depth), made.suffix_v = suffix_v_.tensor().slice(0, depth);
  made.suffix_row = suffix_row_;
  return made;
}

void TttLoop::forward(AttentionBackend backend) {
  for (int64_t depth = 0; depth < kDepths; ++depth)
    suffix_attention(exec_, backend, problem(depth), o_.tensor()[depth], lse_.tensor()[depth]);
}

void TttLoop::backward(AttentionBackend backend) {
  for (int64_t depth = kDepths - 1; depth >= 0; --depth) {
    SuffixAttentionBackward grad = {.o = o_.tensor()[depth],
                                    .lse = lse_.tensor()[depth],
                                    .d_o = d_o_.tensor()[depth],
                                    .d_q = d_q_,
                                    .d_prefix_k = d_prefix_k_,
                                    .d_prefix_v = d_prefix_v_};
    if (depth > 0)
      grad.d_suffix_k = d_suffix_k_.tensor().slice(0, depth), grad.d_suffix_v = d_suffix_v_.tensor().slice(0, depth);
    suffix_attention_backward(exec_, backend, problem(depth), grad);
  }
}

testing::Workload loop_work(Exec& exec, AttentionBackend backend, const LoopShape& shape, bool with_backward) {
  const auto loop = std::make_shared<TttLoop>(exec, shape);
  exec.scratch.reserve(scratch_bytes(backend, loop->problem(kDepths - 1)));
  const bool kernels = with_backward && shape.kernels;
  return {.flops = loop->flops(with_backward),
          .call =
              [=](Exec&) {
                loop->forward(backend);
                if (with_backward) loop->backward(backend);
              },
          .about = kernels ? fmt::format("by {}", implementation_name(backend, loop->problem(kDepths - 1))) : "",
          .kernels = kernels};
}

void add_loop(testing::CaseList& cases, std::string_view name, AttentionBackend backend, const LoopShape& shape) {
  for (const bool with_backward : {false, true})
    cases.push_back(
        {.name = fmt::format("ttt_attention/{}/{}/forward{}", name, shape.name, with_backward ? "+backward" : ""),
         .check = {},
         .grad = {},
         .bench = [=](Exec& exec) { return loop_work(exec, backend, shape, with_backward); },
         .device = Device::cuda});
}

std::vector<LoopShape> loop_shapes() {
  std::vector<LoopShape> shapes;
  for (const int64_t tokens : {2048, 4096, 8192, 16384, 32768})
    shapes.push_back({.name = std::to_string(tokens), .lengths = {tokens}, .kernels = tokens <= 4096});
  shapes.push_back({.name = "ragged", .lengths = {4096, 3000, 1500, 700}, .kernels = true});
  shapes.push_back({"half_of_32768", {32768}, true});
  return shapes;
}

}  // namespace

void add_ttt_attention_cases(testing::CaseList& cases) {
  using enum AttentionBackend;
  constexpr int64_t kMostDense = 2048;  // a warp a score: the oracle, not a competitor
  for (const LoopShape& shape : loop_shapes()) {
    const bool one_sequence = shape.lengths.size() == 1 && !shape.last_half;
    for (const AttentionBackend backend : {fused, merge, masked}) add_loop(cases, name(backend), backend, shape);
    if (one_sequence && shape.lengths[0] <= kMostDense) add_loop(cases, name(dense), dense, shape);
  }
}

bool print_gpu_attention_errors(const std::string& filter) {
  using enum AttentionBackend;
  const struct {
    const char* name;
    AttentionBackend backend;
    std::vector<int> lengths;
    int q_heads;
  } lines[] = {{"fused/errors", fused, {512}, 32},
               {"merge/errors", merge, {512}, 32},
               {"masked/errors", masked, {512}, 32},
               {"dense/errors", dense, {512}, 32},
               {"fused/ragged_errors", fused, {4096, 3000, 1500, 700}, 8}};
  bool any = false;
  for (const auto& [name, backend, lengths, q_heads] : lines) {
    if (std::string_view(name).find(filter) == std::string_view::npos) continue;
    if (!any)
      fmt::print("\n{:<20}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "relative L2 error", "o", "d_q", "d_pre._k",
                 "d_pre._v", "d_suf._k", "d_suf._v");
    any = true;
    fmt::print("{:<20}", name);
    for (const testing::Comparison& one : gpu_attention_errors(backend, lengths, q_heads))
      fmt::print("{:>10.2e}", one.relative_l2);
    fmt::print("\n");
  }
  return any;
}

}  // namespace eyrie
