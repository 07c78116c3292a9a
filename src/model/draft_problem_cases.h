// model/draft_problem_cases.h: for tests: a small draft of random tensors of unit scale and the reference over the same
// numbers.
#pragma once
#include <functional>

#include "model/draft.h"
#include "model/draft_reference.h"
#include "testing/poison.h"

namespace eyrie {

struct DraftVariant {
  std::string name;
  bool fc_norm = false, norm_before_fc = false, norm_before_residual = false, norm_output = false, biases = false;
  bool qk_norm = false;
  int64_t rows = 5;
  DType weights = DType::f32;
};

class DraftProblem {
 public:
  DraftProblem(const std::string& case_name, const DraftVariant& variant);

  DraftConfig config;
  Draft draft;
  ConstTensor token_ids, positions;   // [rows] i32
  ConstTensor taps, h, x, attention;  // random inputs of the pieces
  testing::CaseMemory memory;

  template <typename S>
  DraftReference<S> reference() const {
    DraftReference<S> made{config, positions.dim(0), integers(positions), {}};
    for (const auto& [name, tensor] : named_) {
      const std::vector<double> values = testing::to_doubles(tensor);
      made.tensors[name] = {values.begin(), values.end()};
    }
    return made;
  }
  // The gradient of a scalar function of the reference with respect to the named tensor, by complex step.
  std::vector<double> gradient(
      const std::string& name,
      const std::function<std::complex<double>(const DraftReference<std::complex<double>>&)>& loss) const;

 private:
  static std::vector<int32_t> integers(const ConstTensor& tensor) {
    return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
  }
  std::map<std::string, ConstTensor> named_;
};

}  // namespace eyrie
