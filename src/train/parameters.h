// train/parameters.h: the trained tensors of a draft as one list, in the order and by the names of a draft file.
// Weights, gradients and moments are the same struct, so entry i of one belongs to entry i of the others.
#pragma once
#include "io/safetensors.h"
#include "model/tensors.h"
#include "tensor/exec.h"

namespace eyrie {

struct Parameter {
  std::string name;
  Tensor tensor;  // f32, contiguous
};
std::vector<Parameter> parameters(const DraftConfig& config, DraftTensors<Buffer>& owned);

// The same list to be written to a file; `prefix` stands before each name.
std::vector<NamedTensor> named_tensors(const DraftConfig& config, const DraftTensors<Buffer>& owned,
                                       const std::string& prefix);

// f32 copies of a draft's tensors, to be trained.
DraftTensors<Buffer> copy_parameters(const DraftConfig& config, DraftTensors<ConstTensor> source);

void fill_zero(const std::vector<Parameter>& tensors);
// The square root of the sum of all squares, summed in an order that does not depend on the thread count.
double l2_norm(Exec& exec, const std::vector<Parameter>& tensors);

}  // namespace eyrie
