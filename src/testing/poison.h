// testing/poison.h: buffers that show stray reads and writes. Every byte is 0xFF before the call (NaN as a float, -1 as
// an integer), and guards stand before and behind. On a GPU as on the CPU.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tensor/exec.h"
#include "testing/compare.h"

namespace eyrie::testing {

// Owns the tensors of one case. Random numbers are seeded by the case's and the tensor's name, so a failure repeats.
class CaseMemory {
 public:
  explicit CaseMemory(std::string_view case_name, Device device = Device::cpu, DType activations = DType::f32)
      : case_name_(case_name), exec_(device, activations) {}
  CaseMemory(std::string_view case_name, const Exec& exec) : CaseMemory(case_name, exec.device, exec.activations) {}

  // Poisoned, normally distributed; in the dtype of activations unless another is given.
  Tensor output(std::string_view name, const Shape& shape, std::optional<DType> dtype = {});
  Tensor normal(std::string_view name, const Shape& shape, double deviation = 1.0, std::optional<DType> dtype = {});
  Tensor zeros(std::string_view name, const Shape& shape, DType dtype = DType::f32);
  Tensor integers(std::string_view name, const std::vector<int32_t>& values);  // [values], i32
  Tensor put(std::string_view name, const ConstTensor& values);                // these, from the CPU

  // One failed Comparison per buffer whose guards were overwritten.
  std::vector<Comparison> broken_guards() const;
  std::vector<Comparison> with_guards(std::vector<Comparison> results) const;  // and these behind them

 private:
  struct Guarded {
    std::string name;
    Bytes bytes;
    int64_t size = 0;
  };
  std::string case_name_;
  Exec exec_;
  std::deque<Guarded> buffers_;
};

// The scratch of an exec that has not been used: its first `bytes` bytes poisoned, a guard behind them.
class PoisonedScratch {
 public:
  PoisonedScratch(Exec& exec, int64_t bytes);
  std::vector<Comparison> broken_guard() const;  // as above; scratch that had to grow counts as one

 private:
  Scratch& scratch_;
  int64_t growths_;
  Tensor guard_;
};

}  // namespace eyrie::testing
