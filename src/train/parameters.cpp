#include "train/parameters.h"

#include <algorithm>
#include <cmath>

#include "ops/parallel.h"

namespace eyrie {
namespace {

constexpr int64_t kBlock = int64_t{1} << 14;  // elements summed in one go

double sum_of_squares(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

double sum_of_squares(Exec& exec, const Tensor& tensor) {
  const int64_t blocks = (tensor.elements() + kBlock - 1) / kBlock;
  std::vector<double> part(static_cast<size_t>(blocks));
  const float* x = tensor.as<float>();
  for_each_range(exec, blocks, 1, tensor.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      part[static_cast<size_t>(b)] = sum_of_squares(x + b * kBlock, std::min(kBlock, tensor.elements() - b * kBlock));
  });
  double sum = 0;
  for (const double one : part) sum += one;
  return sum;
}

}  // namespace

std::vector<Parameter> parameters(const DraftConfig& config, DraftTensors<Buffer>& owned) {
  std::vector<Parameter> list;
  for_each_tensor(config, owned, [&](const std::string& name, const Shape&, Buffer& tensor) {
    list.push_back({name, tensor});
  });
  return list;
}

std::vector<NamedTensor> named_tensors(const DraftConfig& config, const DraftTensors<Buffer>& owned,
                                       const std::string& prefix) {
  DraftTensors<ConstTensor> view = views(config, owned);
  std::vector<NamedTensor> list;
  for_each_tensor(config, view, [&](const std::string& name, const Shape&, const ConstTensor& tensor) {
    list.push_back({prefix + name, tensor});
  });
  return list;
}

DraftTensors<Buffer> copy_parameters(const DraftConfig& config, DraftTensors<ConstTensor> source) {
  DraftTensors<Buffer> copies = make_draft_tensors(config);
  const std::vector<Parameter> to = parameters(config, copies);
  size_t next = 0;
  for_each_tensor(config, source,
                  [&](const std::string&, const Shape&, const ConstTensor& from) { copy(from, to[next++].tensor); });
  return copies;
}

void fill_zero(const std::vector<Parameter>& tensors) {
  for (const Parameter& one : tensors) fill_zero(one.tensor);
}

double l2_norm(Exec& exec, const std::vector<Parameter>& tensors) {
  double sum = 0;
  for (const Parameter& one : tensors) sum += sum_of_squares(exec, one.tensor);
  return std::sqrt(sum);
}

}  // namespace eyrie
