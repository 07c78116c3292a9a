// testing/poison.h: buffers that show stray reads and writes. Every byte is 0xFF before the call (NaN as a float, -1 as
// an integer), and guards stand before and behind. On a GPU as on the CPU.
#pragma once
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tensor/buffer.h"
#include "testing/compare.h"

namespace eyrie::testing {

// Owns the tensors of one case. Random numbers are seeded by the case's and the tensor's name, so a failure repeats.
class CaseMemory {
 public:
  explicit CaseMemory(std::string_view case_name, Device device = Device::cpu)
      : case_name_(case_name), device_(device) {}

  Tensor output(std::string_view name, const Shape& shape, DType dtype = DType::f32);  // poisoned
  Tensor normal(std::string_view name, const Shape& shape, double deviation = 1.0, DType dtype = DType::f32);
  Tensor zeros(std::string_view name, const Shape& shape, DType dtype = DType::f32);
  Tensor integers(std::string_view name, const std::vector<int32_t>& values);  // [values], i32

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
  Device device_;
  std::deque<Guarded> buffers_;
};

// The scratch of an operation: its first `bytes` bytes poisoned, a guard behind them. For one that has not been used.
class PoisonedScratch {
 public:
  PoisonedScratch(Scratch& scratch, int64_t bytes);
  std::vector<Comparison> broken_guard() const;  // as above; a second allocation counts as one

 private:
  Scratch& scratch_;
  int64_t allocations_;
  Tensor guard_;
};

}  // namespace eyrie::testing
