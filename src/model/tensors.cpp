#include "model/tensors.h"

namespace eyrie {

Parameters make_parameters(const DraftConfig& config) {
  constexpr int64_t kMultiple = 256 / sizeof(float);
  Parameters made;
  const auto padded = [](const Shape& shape) { return (shape.elements() + kMultiple - 1) / kMultiple * kMultiple; };
  int64_t elements = 0;
  for_each_tensor(config, made.tensors,
                  [&](const std::string&, const Shape& shape, Tensor&) { elements += padded(shape); });
  made.memory = Buffer::zeros(DType::f32, {elements});
  int64_t next = 0;
  for_each_tensor(config, made.tensors, [&](const std::string&, const Shape& shape, Tensor& tensor) {
    tensor = made.memory.tensor().slice(next, next + shape.elements()).reshape(shape);
    next += padded(shape);
  });
  return made;
}

DraftTensors<ConstTensor> views(const DraftConfig& config, const Parameters& of) {
  std::vector<ConstTensor> list;
  for_each_tensor(config, of.tensors,
                  [&](const std::string&, const Shape&, const Tensor& tensor) { list.push_back(tensor); });
  DraftTensors<ConstTensor> made;
  size_t next = 0;
  for_each_tensor(config, made, [&](const std::string&, const Shape&, ConstTensor& tensor) { tensor = list[next++]; });
  return made;
}

}  // namespace eyrie
