// model/device_copies.h: tensors on the device of an exec, for training there. Matrices and biases are kept in the type
// of its activations, norms in f32 (is_rounded). A tensor that is asked for twice is there once; on a CPU all is the
// original itself, in a dry run nothing is behind it.
#pragma once
#include <deque>
#include <map>

#include "model/draft.h"

namespace eyrie {

inline bool is_rounded(const std::string& name, const Shape& shape) {
  return shape.rank > 1 || name.ends_with(".bias");
}

class DeviceCopies {
 public:
  explicit DeviceCopies(Exec& exec) : exec_(exec), planned_(exec.device, Scratch::Memory::planned) {}
  ConstTensor of(const ConstTensor& tensor) { return of(tensor, exec_.activations); }
  // Valid as long as this is.
  Target of(const Target& target);
  Draft of(const Draft& draft);
  int64_t planned_bytes() const { return planned_.most_bytes(); }  // of all of them, in a dry run

 private:
  ConstTensor of(const ConstTensor& tensor, DType dtype);
  template <typename Config, typename Tensors>
  void send_all(const Config& config, Tensors& tensors);

  Exec& exec_;
  Scratch planned_;                          // of a dry run
  std::deque<Buffer> memory_;                // of any other
  std::map<const void*, ConstTensor> made_;  // by the original's memory
};

}  // namespace eyrie
