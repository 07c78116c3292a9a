#include "model/tensors.h"

namespace eyrie {

DraftTensors<Buffer> make_draft_tensors(const DraftConfig& config) {
  DraftTensors<Buffer> made;
  for_each_tensor(config, made, [](const std::string&, const Shape& shape, Buffer& tensor) {
    tensor = Buffer::zeros(DType::f32, shape);
  });
  return made;
}

DraftTensors<ConstTensor> views(const DraftConfig& config, const DraftTensors<Buffer>& owned) {
  std::vector<ConstTensor> list;
  for_each_tensor(config, owned,
                  [&](const std::string&, const Shape&, const Buffer& tensor) { list.push_back(tensor); });
  DraftTensors<ConstTensor> made;
  size_t next = 0;
  for_each_tensor(config, made, [&](const std::string&, const Shape&, ConstTensor& tensor) { tensor = list[next++]; });
  return made;
}

}  // namespace eyrie
