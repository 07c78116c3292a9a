// attention/suffix_problem.h: problems of suffix attention with known answers, for the cases and the tests of this
// room.
#pragma once
#include <string>
#include <vector>

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
  SuffixProblem(const std::string& case_name, const SuffixShape& shape);
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
        .token = integers(problem.token),
        .start = integers(problem.start),
        .suffix_row = problem.depth() ? integers(problem.suffix_row) : std::vector<int32_t>(),
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
  testing::CaseMemory& memory() { return memory_; }

 private:
  static std::vector<int32_t> integers(const ConstTensor& tensor);
  template <typename T>
  static std::vector<T> numbers(const ConstTensor& tensor) {
    const std::vector<double> values = testing::to_doubles(tensor);
    return std::vector<T>(values.begin(), values.end());
  }
  void choose_rows(const SuffixShape& shape);
  void make_prefix(const SuffixShape& shape);
  void make_suffix(const SuffixShape& shape);

  testing::CaseMemory memory_;
  std::vector<int32_t> token_, start_;
  int64_t tokens_ = 0, value_dim_ = 0;
};

}  // namespace eyrie
