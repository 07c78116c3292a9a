// attention/suffix_problem_cases.h: problems of suffix attention with known answers, for the cases and the tests of
// this room.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "attention/checks.h"
#include "attention/suffix_attention.h"
#include "attention/suffix_attention_reference.h"
#include "testing/poison.h"

namespace eyrie {

enum class RowChoice { all, every_third, last_half };  // which tokens of each sequence ask; none of a sequence of 2

struct SuffixShape {
  std::vector<int> lengths;  // of the packed sequences
  int q_heads, kv_heads, dim, depth;
  RowChoice rows = RowChoice::all;
  int value_dim = 0;     // 0: dim
  bool strided = false;  // q, k and v are slices of one buffer
  std::string name() const;
};

// Inputs of unit scale; the suffix keys lean towards the row's queries so that the suffix has a fair share of the
// softmax. Keys and values that no row sees are NaN.
class SuffixProblem {
 public:
  // f32 on the CPU; every number is one that `values` holds.
  SuffixProblem(const std::string& case_name, const SuffixShape& shape, DType values = DType::f32);
  // The same numbers in another dtype, on another device.
  SuffixProblem copied(const Kind& kind) const;

  SuffixAttention problem;
  ConstTensor d_o;

  Tensor output_o(std::string_view name);  // poisoned, guarded
  Tensor output_lse(std::string_view name);
  SuffixAttentionBackward gradients(std::string_view name, const ConstTensor& o, const ConstTensor& lse);

  template <typename T>
  SuffixAttentionReference<T> reference() const {
    SuffixAttentionReference<T> made = {
        .q_heads = problem.q.dim(1),
        .kv_heads = problem.prefix_k.dim(1),
        .dim = problem.q.dim(2),
        .value_dim = problem.prefix_v.dim(2),
        .depth = problem.depth(),
        .suffix_rows = problem.depth() ? problem.suffix_k.dim(1) : 0,
        .scale = problem.scale,
        .token = token_,
        .start = start_,
        .suffix_row = suffix_row_,
        .q = numbers<T>(problem.q),
        .prefix_k = numbers<T>(problem.prefix_k),
        .prefix_v = numbers<T>(problem.prefix_v),
        .suffix_k = problem.depth() ? numbers<T>(problem.suffix_k) : std::vector<T>(),
        .suffix_v = problem.depth() ? numbers<T>(problem.suffix_v) : std::vector<T>(),
        .o = {},
        .lse = {},
    };
    return made;
  }
  std::vector<testing::Comparison> broken_guards() const { return memory_.broken_guards(); }
  testing::CaseMemory& memory() { return memory_; }

 private:
  SuffixProblem(const std::string& case_name, const SuffixShape& shape, const Kind& kind)
      : shape_(shape), kind_(kind), memory_(case_name, kind.device) {}
  template <typename T>
  static std::vector<T> numbers(const ConstTensor& tensor) {
    const std::vector<double> values = testing::to_doubles(tensor);
    return std::vector<T>(values.begin(), values.end());
  }
  int64_t value_dim() const { return shape_.value_dim ? shape_.value_dim : shape_.dim; }
  void choose_rows();
  void make_prefix();
  void make_suffix();
  void point_at_inputs();  // problem and d_o

  SuffixShape shape_;
  Kind kind_;
  testing::CaseMemory memory_;
  std::vector<int32_t> token_, start_, suffix_row_;
  int64_t tokens_ = 0;
  std::map<std::string, Tensor> inputs_;  // each contiguous; of strided ones the whole that they are slices of
};

}  // namespace eyrie
