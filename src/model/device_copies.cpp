#include "model/device_copies.h"

namespace eyrie {

ConstTensor DeviceCopies::of(const ConstTensor& tensor, DType dtype) {
  if (exec_.device == Device::cpu || !tensor.defined()) return tensor;
  const auto found = made_.find(tensor.data);
  if (found != made_.end()) return found->second;
  const ConstTensor made = exec_.planning ? planned_.take(dtype, tensor.shape)
                                          : memory_.emplace_back(to_device(exec_, tensor, dtype)).tensor();
  return made_.emplace(tensor.data, made).first->second;
}

template <typename Config, typename Tensors>
void DeviceCopies::send_all(const Config& config, Tensors& tensors) {
  for_each_tensor(config, tensors, [&](const std::string& name, const Shape& shape, ConstTensor& tensor) {
    tensor = of(tensor, is_rounded(name, shape) ? exec_.activations : DType::f32);
  });
}

Target DeviceCopies::of(const Target& target) {
  if (exec_.device == Device::cpu) return target;
  Target there = target;
  send_all(target.config, there.tensors);
  there.tensors.lm_head = of(target.tensors.lm_head);  // the list has it where it is not tied
  return there;
}

Draft DeviceCopies::of(const Draft& draft) {
  if (exec_.device == Device::cpu) return draft;
  Draft there = draft;
  send_all(draft.config, there.tensors);
  there.embedding = of(draft.embedding);
  return there;
}

}  // namespace eyrie
