#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "attention/suffix_problem.h"

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
Tensor heads(Tensor tensor, int64_t begin, int64_t end) {
  tensor.data = tensor.view<float, 3>().row(0, begin);
  tensor.shape.dims[1] = end - begin;
  return tensor;
}

}  // namespace

std::string SuffixShape::name() const {
  const std::string text = lengths.empty() ? "empty" : fmt::format("{}", fmt::join(lengths, "+"));
  const std::string width = value_dim ? fmt::format("d{}v{}", dim, value_dim) : fmt::format("d{}", dim);
  return fmt::format("{}/h{}:{}/n{}/{}{}{}", width, q_heads, kv_heads, depth, text, name_of(rows),
                     strided ? "/strided" : "");
}

SuffixProblem::SuffixProblem(const std::string& case_name, const SuffixShape& shape) : memory_(case_name) {
  value_dim_ = shape.value_dim ? shape.value_dim : shape.dim;
  choose_rows(shape);
  make_prefix(shape);
  if (shape.depth > 0) make_suffix(shape);
  problem.scale = static_cast<float>(1 / std::sqrt(shape.dim));
  d_o = memory_.normal("d_o", {problem.q.dim(0), shape.q_heads, value_dim_});
}

void SuffixProblem::choose_rows(const SuffixShape& shape) {
  for (const int length : shape.lengths) {
    for (int position = 0; position < length; ++position)
      if (asks(shape.rows, position, length)) {
        token_.push_back(static_cast<int32_t>(tokens_ + position));
        start_.push_back(static_cast<int32_t>(tokens_));
      }
    tokens_ += length;
  }
  problem.token = memory_.integers("token", token_);
  problem.start = memory_.integers("start", start_);
}

void SuffixProblem::make_prefix(const SuffixShape& shape) {
  const auto rows = static_cast<int64_t>(token_.size());
  Tensor k, v;
  if (shape.strided) {  // every row, every width equal
    const Tensor all = memory_.normal("qkv", {tokens_, shape.q_heads + 2 * shape.kv_heads, shape.dim});
    problem.q = heads(all, 0, shape.q_heads);
    k = heads(all, shape.q_heads, shape.q_heads + shape.kv_heads);
    v = heads(all, shape.q_heads + shape.kv_heads, shape.q_heads + 2 * shape.kv_heads);
  } else {
    problem.q = memory_.normal("q", {rows, shape.q_heads, shape.dim});
    k = memory_.normal("prefix_k", {tokens_, shape.kv_heads, shape.dim});
    v = memory_.normal("prefix_v", {tokens_, shape.kv_heads, value_dim_});
    std::vector<bool> seen(static_cast<size_t>(tokens_));
    for (size_t row = 0; row < token_.size(); ++row)
      std::fill(seen.begin() + start_[row], seen.begin() + token_[row] + 1, true);
    for (int64_t token = 0; token < tokens_; ++token)
      if (!seen[static_cast<size_t>(token)]) fill_nan(k[token]), fill_nan(v[token]);
  }
  problem.prefix_k = k, problem.prefix_v = v;
}

void SuffixProblem::make_suffix(const SuffixShape& shape) {
  const auto rows = static_cast<int64_t>(token_.size());
  std::vector<int32_t> suffix_row;
  for (int32_t row = 0; row < rows; ++row) suffix_row.push_back(row + (row > 1));  // one place is nobody's
  problem.suffix_row = memory_.integers("suffix_row", suffix_row);
  const Tensor k = memory_.normal("suffix_k", {shape.depth, rows + 1, shape.kv_heads, shape.dim});
  const Tensor v = memory_.normal("suffix_v", {shape.depth, rows + 1, shape.kv_heads, value_dim_});
  const auto q = problem.q.view<float, 3>();
  const auto keys = k.view<float, 4>();
  const int64_t group = shape.q_heads / shape.kv_heads;
  for (int64_t depth = 0; depth < shape.depth; ++depth) {
    const int64_t nobody = std::min<int64_t>(rows, 2);
    fill_nan(k[depth][nobody]), fill_nan(v[depth][nobody]);
    for (int64_t row = 0; row < rows; ++row) {
      // Lifts scale q.k by about log(prefix keys per suffix key): the two parts then weigh alike.
      const double prefix = token_[static_cast<size_t>(row)] - start_[static_cast<size_t>(row)] + 1;
      const double lift = std::max(0.0, std::log(prefix / shape.depth)) / std::sqrt(shape.dim);
      for (int64_t head = 0; head < shape.q_heads; ++head)
        for (int64_t i = 0; i < shape.dim; ++i)
          keys(depth, suffix_row[static_cast<size_t>(row)], head / group, i) +=
              static_cast<float>(lift) * q(row, head, i);
    }
  }
  problem.suffix_k = k, problem.suffix_v = v;
}

Tensor SuffixProblem::output_o(std::string_view name) {
  return memory_.output(name, {problem.q.dim(0), problem.q.dim(1), value_dim_});
}

Tensor SuffixProblem::output_lse(std::string_view name) {
  return memory_.output(name, {problem.q.dim(0), problem.q.dim(1)});
}

SuffixAttentionBackward SuffixProblem::gradients(std::string_view name, const ConstTensor& o, const ConstTensor& lse) {
  const std::string prefix = std::string(name) + ".";
  // The same start values for every name: what is accumulated into is part of the problem.
  const auto start_value = [&](const char* tensor, const Shape& shape) {
    const Tensor made = memory_.output(prefix + tensor, shape);
    copy(testing::CaseMemory("start values").normal(tensor, shape, 0.1), made);
    return made;
  };
  SuffixAttentionBackward grad = {.o = o,
                                  .lse = lse,
                                  .d_o = d_o,
                                  .d_q = memory_.output(prefix + "d_q", problem.q.shape),
                                  .d_prefix_k = start_value("d_prefix_k", problem.prefix_k.shape),
                                  .d_prefix_v = start_value("d_prefix_v", problem.prefix_v.shape)};
  if (problem.depth() == 0) return grad;
  grad.d_suffix_k = start_value("d_suffix_k", problem.suffix_k.shape);
  grad.d_suffix_v = start_value("d_suffix_v", problem.suffix_v.shape);
  return grad;
}

std::vector<int32_t> SuffixProblem::integers(const ConstTensor& tensor) {
  return std::vector<int32_t>(tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements());
}

}  // namespace eyrie
