// `eyrie bench attention --device cuda`: the attention of one training step, 7 depths forward, then 7 backward, beside
// cuBLASLt's bf16 rate measured in turn. docs/benchmarks.md holds the peers' figures from the same run
// (tools/bench_attention_peers.py).
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "app/bench/parts.h"
#include "attention/attention_cases.h"
#include "attention/block_mask.h"
#include "testing/gpu_rate.h"

namespace eyrie {
namespace {

constexpr int64_t kDepths = 7, kQueryHeads = 32, kKeyHeads = 8, kDim = 128;
constexpr double kBackwardProducts = 2.5;  // five of the forward's two
constexpr double kMiB = 1 << 20, kGiB = 1 << 30;

struct LoopShape {
  std::string name;
  std::vector<int64_t> lengths;
  bool last_half = false;       // of each sequence: the rows that ask
  bool whole_sequence = false;  // and says so
};

Buffer on_gpu(const std::vector<int32_t>& values) {
  return Buffer::copy_of({values.data(), DType::i32, {static_cast<int64_t>(values.size())}}, DType::i32, Device::cuda);
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
  double forward_flops() const { return flops_; }
  double query_gradient_bytes() const { return 4.0 * static_cast<double>(rows_ * kQueryHeads * kDim); }

 private:
  void choose_rows(const LoopShape& shape);

  Exec& exec_;
  int64_t tokens_ = 0, rows_ = 0;
  bool whole_sequence_;
  double flops_ = 0;
  Buffer token_, start_, suffix_row_;
  Buffer q_, o_, lse_, d_o_;  // [kDepths, rows, ...]
  Buffer prefix_k_, prefix_v_, suffix_k_, suffix_v_;
  Buffer d_q_;  // of the depth at hand
  Buffer d_prefix_k_, d_prefix_v_, d_suffix_k_, d_suffix_v_;
};

TttLoop::TttLoop(Exec& exec, const LoopShape& shape) : exec_(exec), whole_sequence_(shape.whole_sequence) {
  choose_rows(shape);
  const Shape queries = {kDepths, rows_, kQueryHeads, kDim}, prefix = {tokens_, kKeyHeads, kDim};
  const Shape suffix = {kDepths - 1, rows_, kKeyHeads, kDim};
  q_ = random_on_gpu(exec, "q", queries), d_o_ = random_on_gpu(exec, "d_o", queries);
  o_ = Buffer(DType::bf16, queries, Device::cuda);
  lse_ = Buffer(DType::f32, {kDepths, rows_, kQueryHeads}, Device::cuda);
  prefix_k_ = random_on_gpu(exec, "prefix_k", prefix), prefix_v_ = random_on_gpu(exec, "prefix_v", prefix);
  suffix_k_ = random_on_gpu(exec, "suffix_k", suffix), suffix_v_ = random_on_gpu(exec, "suffix_v", suffix);
  d_q_ = Buffer(DType::bf16, {rows_, kQueryHeads, kDim}, Device::cuda);
  for (Buffer* sum : {&d_prefix_k_, &d_prefix_v_}) *sum = Buffer::zeros(DType::f32, prefix, Device::cuda);
  for (Buffer* sum : {&d_suffix_k_, &d_suffix_v_}) *sum = Buffer::zeros(DType::f32, suffix, Device::cuda);
}

void TttLoop::choose_rows(const LoopShape& shape) {
  std::vector<int32_t> token, start;
  double keys = 0;
  for (const int64_t length : shape.lengths) {
    for (int64_t position = shape.last_half ? length / 2 : 0; position < length; ++position) {
      token.push_back(static_cast<int32_t>(tokens_ + position));
      start.push_back(static_cast<int32_t>(tokens_));
      keys += static_cast<double>(kDepths * (position + 1) + kDepths * (kDepths - 1) / 2);
    }
    tokens_ += length;
  }
  rows_ = static_cast<int64_t>(token.size());
  flops_ = 4 * keys * kQueryHeads * kDim;
  std::vector<int32_t> suffix_row(token.size());
  std::iota(suffix_row.begin(), suffix_row.end(), 0);
  token_ = on_gpu(token), start_ = on_gpu(start), suffix_row_ = on_gpu(suffix_row);
}

SuffixAttention TttLoop::problem(int64_t depth) const {
  SuffixAttention made = {.q = q_.tensor()[depth],
                          .prefix_k = prefix_k_,
                          .prefix_v = prefix_v_,
                          .token = token_,
                          .start = start_,
                          .scale = 0.08838834764831845f,  // 1 / sqrt(kDim)
                          .whole_sequence = whole_sequence_};
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

double free_bytes() {
  if constexpr (kHasCuda) return static_cast<double>(cuda::free_memory_bytes());
  return 0;
}

void print_loop(AttentionBackend backend, const LoopShape& shape, const std::string& label) {
  const double free_before = free_bytes();
  Exec exec(Device::cuda);
  TttLoop loop(exec, shape);
  exec.scratch.reserve(scratch_bytes(backend, loop.problem(kDepths - 1)));
  const double limit = testing::gpu_matmul_flops(exec);
  const double forward = testing::gpu_median_ms(exec, [&] { loop.forward(backend); });
  const double backward = testing::gpu_median_ms(exec, [&] { loop.backward(backend); });
  const double rate = loop.forward_flops() * (1 + kBackwardProducts) / ((forward + backward) * 1e-3);
  const auto scratch = static_cast<double>(exec.scratch.reserved_bytes());
  fmt::print("{:<20}{:>9.3f}{:>10.3f}{:>10.3f}{:>8.0f}{:>5.0f} %{:>8.1f}{:>8.2f}\n", label, forward, backward,
             forward + backward, rate * 1e-12, 100 * rate / limit,
             std::max(scratch - loop.query_gradient_bytes(), 0.0) / kMiB, (free_before - free_bytes()) / kGiB);
  std::fflush(stdout);
}

// The lines of --only.
class Filter {
 public:
  explicit Filter(const std::string& text) : text_(text) {}
  bool takes(const std::string& label) {
    const bool taken = label.find(text_) != std::string::npos;
    took_any_ |= taken;
    return taken;
  }
  bool took_any() const { return took_any_; }

 private:
  const std::string& text_;
  bool took_any_ = false;
};

// Too little memory, or a backend that does not take the problem: the other lines go on.
void or_say_why(const std::string& label, const std::function<void()>& line) {
  try {
    line();
  } catch (const Error& error) {
    fmt::print("{:<20} {}\n", label, error.what());
  }
}

std::vector<LoopShape> loop_shapes() {
  std::vector<LoopShape> shapes;
  for (const int64_t tokens : {2048, 4096, 8192, 16384, 32768}) shapes.push_back({std::to_string(tokens), {tokens}});
  shapes.push_back({"ragged", {4096, 3000, 1500, 700}});
  shapes.push_back({"half_of_32768", {32768}, true});
  return shapes;
}

void print_loops(Filter& filter) {
  using enum AttentionBackend;
  constexpr int64_t kMostDense = 2048;  // a warp a score: the oracle, not a competitor
  fmt::print("{:<20}{:>9}{:>10}{:>10}{:>8}{:>7}{:>8}{:>8}\n", "7 depths, bf16", "forward", "backward", "both ms",
             "TFLOP/s", "share", "MiB *", "GiB");
  const auto line = [&](std::string_view name, AttentionBackend backend, const LoopShape& shape) {
    const std::string label = fmt::format("{}/{}", name, shape.name);
    if (filter.takes(label)) or_say_why(label, [&] { print_loop(backend, shape, label); });
  };
  for (LoopShape shape : loop_shapes()) {
    const bool one_sequence = shape.lengths.size() == 1 && !shape.last_half;
    for (const AttentionBackend backend : {fused, merge, masked}) line(name(backend), backend, shape);
    if (one_sequence && shape.lengths[0] <= kMostDense) line(name(dense), dense, shape);
    shape.whole_sequence = true;
    if (one_sequence) line("merge_cudnn", merge, shape);
  }
  fmt::print("share: of cuBLASLt's bf16 8192^3 product, measured before each line\n");
  fmt::print("*: scratch beside one depth's fp32 d_q. GiB: all, inputs and outputs of 7 depths too\n\n");
}

void print_error_line(Filter& filter, const std::string& label, AttentionBackend backend,
                      const std::vector<int>& lengths, int q_heads) {
  if (!filter.takes(label)) return;
  or_say_why(label, [&] {
    std::string line;
    for (const testing::Comparison& one : gpu_attention_errors(backend, lengths, q_heads))
      line += fmt::format("{:>11.2e}", one.relative_l2);
    fmt::print("{:<20}{}\n", label, line);
  });
}

void print_errors(Filter& filter) {
  using enum AttentionBackend;
  fmt::print("{:<20}", "relative L2 error");
  for (const char* tensor : {"o", "d_q", "d_prefix_k", "d_prefix_v", "d_suffix_k", "d_suffix_v"})
    fmt::print("{:>11}", tensor);
  fmt::print("\n");
  for (const AttentionBackend backend : {fused, merge, masked, dense})
    print_error_line(filter, fmt::format("{}/errors", name(backend)), backend, {512}, kQueryHeads);
  print_error_line(filter, "fused/ragged_errors", fused, {4096, 3000, 1500, 700}, kQueryHeads / 4);
  fmt::print("512 tokens (ragged: 8 heads), 3 suffixes, against fp32 on the CPU\n\n");
}

void print_mask_build(Filter& filter) {
  constexpr int64_t kRows = 49152, kRounds = 5;
  const BlockMaskRows rows = dense_rows(kRows, kRounds);
  const std::string label = fmt::format("block_mask/{} x {}", kRows, rows.keys());
  if (!filter.takes(label)) return;
  Exec exec(Device::cuda);
  const BlockMaskSizes sizes = block_mask_capacity(rows, {});
  const Buffer memory(DType::i32, {sizes.elements()}, Device::cuda);
  const BlockMask mask = place_block_mask(sizes, {}, memory.tensor().as<int32_t>());
  if constexpr (kHasCuda)
    fmt::print("{}: built in {:.3f} ms, {:.2f} MB of lists\n", label,
               testing::gpu_median_ms(exec, [&] { cuda::build_block_mask(rows, mask, exec.stream); }),
               static_cast<double>(memory.tensor().bytes()) * 1e-6);
}

}  // namespace

bool bench_gpu_attention(const BenchOptions& options) {
  Exec exec(Device::cuda);
  if constexpr (kHasCuda)
    fmt::print("\n{}: cuBLASLt {:.0f} TFLOP/s; B=1, {}/{} heads of {}\n", cuda::device_properties().name,
               testing::gpu_matmul_flops(exec) * 1e-12, kQueryHeads, kKeyHeads, kDim);
  Filter filter(options.filter);
  print_loops(filter);
  print_errors(filter);
  print_mask_build(filter);
  return filter.took_any();
}

}  // namespace eyrie
