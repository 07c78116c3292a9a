#include "attention/suffix_problem_cases.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

namespace eyrie {
namespace {

bool asks(RowChoice choice, int position, int length) {
  if (choice == RowChoice::all) return true;
  if (length == 2) return false;
  return choice == RowChoice::every_third ? position % 3 == 1 : position >= length / 2;
}

const char* name_of(RowChoice choice) {
  constexpr const char* kNames[] = {"", "/every_third", "/last_half"};
  return kNames[static_cast<int>(choice)];
}

void fill_nan(const Tensor& tensor) {  // contiguous
  std::fill_n(tensor.as<float>(), tensor.elements(), std::numeric_limits<float>::quiet_NaN());
}

// The slice [begin, end) of dimension 1.
Tensor heads(const Tensor& tensor, int64_t begin, int64_t end) {
  Tensor part = tensor;
  part.data = static_cast<unsigned char*>(tensor.data) + begin * tensor.strides[1] * size_bytes(tensor.dtype);
  part.shape.dims[1] = end - begin;
  return part;
}

void round_to(DType dtype, const Tensor& tensor) {
  if (dtype != tensor.dtype) copy(Buffer::copy_of(tensor, dtype), tensor);
}

}  // namespace

std::string SuffixShape::name() const {
  const std::string text = lengths.empty() ? "empty" : fmt::format("{}", fmt::join(lengths, "+"));
  const std::string width = value_dim ? fmt::format("d{}v{}", dim, value_dim) : fmt::format("d{}", dim);
  return fmt::format("{}/h{}:{}/n{}/{}{}{}", width, q_heads, kv_heads, depth, text, name_of(rows),
                     strided ? "/strided" : "");
}

SuffixProblem::SuffixProblem(const std::string& case_name, const SuffixShape& shape, DType values)
    : SuffixProblem(case_name, shape, Kind{}) {
  choose_rows();
  make_prefix();
  inputs_["d_o"] = memory_.normal("d_o", {static_cast<int64_t>(token_.size()), shape.q_heads, value_dim()});
  point_at_inputs();
  if (shape.depth > 0) make_suffix();
  for (const auto& [name, tensor] : inputs_) round_to(values, tensor);
  point_at_inputs();
}

SuffixProblem SuffixProblem::copied(const Kind& kind) const {
  SuffixProblem made("copied", shape_, kind);
  made.choose_rows();
  for (const auto& [name, tensor] : inputs_)
    made.inputs_[name] = made.memory_.put(name, Buffer::copy_of(tensor, kind.dtype));
  made.point_at_inputs();
  return made;
}

void SuffixProblem::choose_rows() {
  for (const int length : shape_.lengths) {
    for (int position = 0; position < length; ++position)
      if (asks(shape_.rows, position, length)) {
        if (shape_.depth > 0) suffix_row_.push_back(static_cast<int32_t>(token_.size() + (token_.size() > 1)));
        token_.push_back(static_cast<int32_t>(tokens_ + position));
        start_.push_back(static_cast<int32_t>(tokens_));
      }
    tokens_ += length;
  }
  problem.token = memory_.integers("token", token_);
  problem.start = memory_.integers("start", start_);
  if (shape_.depth > 0) problem.suffix_row = memory_.integers("suffix_row", suffix_row_);
}

void SuffixProblem::make_prefix() {
  const auto rows = static_cast<int64_t>(token_.size());
  if (shape_.strided) {  // every row, every width equal
    inputs_["qkv"] = memory_.normal("qkv", {tokens_, shape_.q_heads + 2 * shape_.kv_heads, shape_.dim});
    return;
  }
  inputs_["q"] = memory_.normal("q", {rows, shape_.q_heads, shape_.dim});
  const Tensor k = inputs_["prefix_k"] = memory_.normal("prefix_k", {tokens_, shape_.kv_heads, shape_.dim});
  const Tensor v = inputs_["prefix_v"] = memory_.normal("prefix_v", {tokens_, shape_.kv_heads, value_dim()});
  std::vector<bool> seen(static_cast<size_t>(tokens_));
  for (size_t row = 0; row < token_.size(); ++row)
    std::fill(seen.begin() + start_[row], seen.begin() + token_[row] + 1, true);
  for (int64_t token = 0; token < tokens_; ++token)
    if (!seen[static_cast<size_t>(token)]) fill_nan(k[token]), fill_nan(v[token]);
}

void SuffixProblem::make_suffix() {
  const auto rows = static_cast<int64_t>(token_.size());
  const Tensor k = memory_.normal("suffix_k", {shape_.depth, rows + 1, shape_.kv_heads, shape_.dim});
  const Tensor v = memory_.normal("suffix_v", {shape_.depth, rows + 1, shape_.kv_heads, value_dim()});
  const auto q = problem.q.view<float, 3>();
  const auto keys = k.view<float, 4>();
  const int64_t group = shape_.q_heads / shape_.kv_heads;
  for (int64_t depth = 0; depth < shape_.depth; ++depth) {
    const int64_t nobody = std::min<int64_t>(rows, 2);
    fill_nan(k[depth][nobody]), fill_nan(v[depth][nobody]);
    for (int64_t row = 0; row < rows; ++row) {
      // Lifts scale q.k by about log(prefix keys per suffix key): the two parts then weigh alike.
      const double prefix = token_[static_cast<size_t>(row)] - start_[static_cast<size_t>(row)] + 1;
      const double lift = std::max(0.0, std::log(prefix / shape_.depth)) / std::sqrt(shape_.dim);
      for (int64_t head = 0; head < shape_.q_heads; ++head)
        for (int64_t i = 0; i < shape_.dim; ++i)
          keys(depth, suffix_row_[static_cast<size_t>(row)], head / group, i) +=
              static_cast<float>(lift) * q(row, head, i);
    }
  }
  inputs_["suffix_k"] = k, inputs_["suffix_v"] = v;
}

void SuffixProblem::point_at_inputs() {
  const auto input = [&](const char* name) {
    const auto found = inputs_.find(name);
    return found == inputs_.end() ? Tensor() : found->second;
  };
  problem.q = input("q"), problem.prefix_k = input("prefix_k"), problem.prefix_v = input("prefix_v");
  if (shape_.strided) {
    const int q_heads = shape_.q_heads, kv_heads = shape_.kv_heads;
    problem.q = heads(input("qkv"), 0, q_heads);
    problem.prefix_k = heads(input("qkv"), q_heads, q_heads + kv_heads);
    problem.prefix_v = heads(input("qkv"), q_heads + kv_heads, q_heads + 2 * kv_heads);
  }
  problem.suffix_k = input("suffix_k"), problem.suffix_v = input("suffix_v");
  problem.scale = static_cast<float>(1 / std::sqrt(shape_.dim));
  d_o = input("d_o");
}

Tensor SuffixProblem::output_o(std::string_view name) {
  return memory_.output(name, {problem.q.dim(0), problem.q.dim(1), value_dim()}, kind_.dtype);
}

Tensor SuffixProblem::output_lse(std::string_view name) {
  return memory_.output(name, {problem.q.dim(0), problem.q.dim(1)});
}

SuffixAttentionBackward SuffixProblem::gradients(std::string_view name, const ConstTensor& o, const ConstTensor& lse) {
  const std::string prefix = std::string(name) + ".";
  // The same start values for every name: what is accumulated into is part of the problem.
  const auto start_value = [&](const char* tensor, const Shape& shape) {
    return memory_.put(prefix + tensor, testing::CaseMemory("start values").normal(tensor, shape, 0.1));
  };
  SuffixAttentionBackward grad = {.o = o,
                                  .lse = lse,
                                  .d_o = d_o,
                                  .d_q = memory_.output(prefix + "d_q", problem.q.shape, kind_.dtype),
                                  .d_prefix_k = start_value("d_prefix_k", problem.prefix_k.shape),
                                  .d_prefix_v = start_value("d_prefix_v", problem.prefix_v.shape)};
  if (problem.depth() == 0) return grad;
  grad.d_suffix_k = start_value("d_suffix_k", problem.suffix_k.shape);
  grad.d_suffix_v = start_value("d_suffix_v", problem.suffix_v.shape);
  return grad;
}

}  // namespace eyrie
