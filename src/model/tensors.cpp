#include "model/tensors.h"

namespace eyrie {

namespace {

Parameters take_parameters(const DraftConfig& config, DType dtype, Device device) {
  constexpr int64_t kMultiple = 64;
  Parameters made;
  const auto padded = [](const Shape& shape) { return (shape.elements() + kMultiple - 1) / kMultiple * kMultiple; };
  int64_t elements = 0;
  for_each_tensor(config, made.tensors,
                  [&](const std::string&, const Shape& shape, Tensor&) { elements += padded(shape); });
  made.memory = Buffer(dtype, {elements}, device);
  int64_t next = 0;
  for_each_tensor(config, made.tensors, [&](const std::string&, const Shape& shape, Tensor& tensor) {
    tensor = made.memory.tensor().slice(next, next + shape.elements()).reshape(shape);
    next += padded(shape);
  });
  return made;
}

}  // namespace

Parameters make_parameters(const DraftConfig& config) {
  Exec here;
  return make_parameters(here, config);
}

Parameters make_parameters(Exec& exec, const DraftConfig& config, DType dtype) {
  Parameters made = take_parameters(config, dtype, exec.device);
  zero(exec, made.memory);
  return made;
}

Parameters send_parameters(Exec& exec, const DraftConfig& config, const Parameters& parameters, DType dtype) {
  const ConstTensor from = parameters.memory;
  Parameters made = take_parameters(config, dtype, exec.device);
  const Buffer narrowed = from.dtype == dtype ? Buffer() : Buffer::copy_of(from, dtype);
  copy(exec, from.dtype == dtype ? from : ConstTensor(narrowed), made.memory);
  exec.wait();
  return made;
}

Parameters read_parameters(Exec& exec, const DraftConfig& config, const Parameters& there) {
  Parameters made = take_parameters(config, there.memory.tensor().dtype, Device::cpu);
  copy(exec, there.memory, made.memory);
  exec.wait();
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
