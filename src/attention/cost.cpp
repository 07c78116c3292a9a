#include "attention/cost.h"

namespace eyrie {
namespace {

constexpr double kSum = 4, kAddedTo = 8;  // bytes of an f32 that is written or read, and of one that is both

}  // namespace

AttentionCost::AttentionCost(Exec& exec, const SuffixAttention& problem) {
  const AttentionSizes sizes(problem);
  const Buffer tokens = to_cpu(exec, problem.token), starts = to_cpu(exec, problem.start);
  const int32_t *token = tokens.tensor().as<int32_t>(), *start = starts.tensor().as<int32_t>();
  int64_t pairs = 0, keys = 0;
  for (int64_t row = 0; row < sizes.rows; ++row) {
    const bool last_of_sequence = row + 1 == sizes.rows || start[row + 1] != start[row];
    pairs += token[row] - start[row] + 1;
    if (last_of_sequence) keys += token[row] - start[row] + 1;  // what the others see it sees too
  }
  const auto q_heads = static_cast<double>(sizes.q_heads), kv_heads = static_cast<double>(sizes.kv_heads);
  const auto rows = static_cast<double>(sizes.rows);
  rows_ = rows * q_heads, pairs_ = static_cast<double>(pairs) * q_heads;
  keys_ = static_cast<double>(keys) * kv_heads, suffix_keys_ = rows * kv_heads;
  dim_ = static_cast<double>(sizes.dim), value_dim_ = static_cast<double>(sizes.value_dim);
  depth_ = static_cast<double>(sizes.depth);
  element_ = static_cast<double>(size_bytes(problem.q.dtype));
}

AttentionCost AttentionCost::of(Exec& exec, const SuffixAttention& problem) {
  return exec.stream.profile ? AttentionCost(exec, problem) : AttentionCost();
}

cuda::LaunchCost AttentionCost::forward(int64_t depth) const {
  const auto n = static_cast<double>(depth);
  const double width = dim_ + value_dim_;
  return {.bytes = (rows_ + keys_ + n * suffix_keys_) * width * element_ + rows_ * kSum,
          .flops = 2 * (pairs_ + n * rows_) * width};
}

cuda::LaunchCost AttentionCost::backward(int64_t depth) const {
  const auto n = static_cast<double>(depth);
  const double width = dim_ + value_dim_;
  return {.bytes = rows_ * (width * element_ + dim_ * kAddedTo + 2 * kSum) +
                   (keys_ + n * suffix_keys_) * width * (element_ + kAddedTo),
          .flops = 2 * (pairs_ + n * rows_) * (3 * dim_ + 2 * value_dim_)};
}

cuda::LaunchCost AttentionCost::prepare(int64_t depth) const {
  const auto n = static_cast<double>(depth);
  const double q = depth ? dim_ : 0;
  return {.bytes = rows_ * ((q + 2 * value_dim_) * element_ + (dim_ + 3) * kSum) +
                   n * suffix_keys_ * (dim_ + value_dim_) * (element_ + kAddedTo),
          .flops = 2 * rows_ * (value_dim_ + n * (3 * dim_ + 2 * value_dim_))};
}

cuda::LaunchCost AttentionCost::merge(int64_t depth) const {
  const auto n = static_cast<double>(depth);
  const double width = dim_ + value_dim_;
  return {.bytes = rows_ * ((width + value_dim_) * element_ + kAddedTo) + n * suffix_keys_ * width * element_,
          .flops = 2 * rows_ * n * width};
}

cuda::LaunchCost AttentionCost::finish() const { return {.bytes = rows_ * dim_ * (kSum + element_), .flops = 0}; }

cuda::LaunchCost AttentionCost::dense_rows() const {
  const double width = dim_ + value_dim_;
  return {.bytes = rows_ * (2 * width * element_ + kSum) + keys_ * width * element_ +
                   depth_ * suffix_keys_ * width * (element_ + kAddedTo),
          .flops = 2 * (pairs_ + depth_ * rows_) * (width + dim_) + 2 * depth_ * rows_ * width};
}

cuda::LaunchCost AttentionCost::dense_keys() const {
  const double width = dim_ + value_dim_;
  return {.bytes = rows_ * ((width + value_dim_) * element_ + kSum) + keys_ * width * (element_ + kAddedTo),
          .flops = 4 * pairs_ * width};
}

}  // namespace eyrie
