#include "attention/sm80/passes.cuh"

namespace eyrie::gpu::sm80 {
namespace {

// The tile loops read and write rows by 16 bytes.
std::string why_not_aligned(const Argument& argument) {
  const auto& [name, tensor] = argument;
  const auto refusal = [&](const std::string& found) {
    return std::string(name) + ": its tile loop takes rows that start at multiples of 16 bytes, found " + found;
  };
  if (const uintptr_t behind = reinterpret_cast<uintptr_t>(tensor.data) % 16)
    return refusal("the first " + std::to_string(behind) + " bytes behind such a place");
  for (int i = 0; i + 1 < tensor.rank(); ++i)
    if (const int64_t bytes = tensor.strides[i] * size_bytes(tensor.dtype); tensor.dim(i) > 1 && bytes % 16 != 0)
      return refusal("a stride of " + std::to_string(bytes) + " bytes in dimension " + std::to_string(i));
  return "";
}

}  // namespace

std::string why_not(const SuffixAttention& problem, Arguments others) {
  const AttentionSizes sizes(problem);
  if (problem.q.dtype == DType::f32) return "q: its tile loop takes bf16 and f16, found f32";
  bool known = false;
  int64_t needed = 0;
  with_dim(sizes.dim, [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    known = true;
    needed = std::max<int64_t>(ForwardPlan<kDim>::kSharedBytes, BackwardPlan<kDim, false>::kSharedBytes);
  });
  if (!known)
    return "q: its tile loop takes head dimensions 32, 64, 80, 96, 128 and 256, found " + std::to_string(sizes.dim);
  if (sizes.value_dim != sizes.dim)
    return "prefix_v: its tile loop takes values as wide as keys, " + std::to_string(sizes.dim) + ", found " +
           std::to_string(sizes.value_dim);
  if (!(problem.scale > 0)) return "scale: its tile loop takes one above 0, found " + std::to_string(problem.scale);
  // A dry run may be made where no GPU is.
  const int64_t there = cuda::find_no_device().empty() ? cuda::device_properties().shared_bytes_per_block : needed;
  if (needed > there)
    return "q: its tile loop needs " + std::to_string(needed) + " bytes of shared memory for head dimension " +
           std::to_string(sizes.dim) + ", this GPU has " + std::to_string(there);
  const Argument own[] = {{"q", problem.q},
                          {"prefix_k", problem.prefix_k},
                          {"prefix_v", problem.prefix_v},
                          {"suffix_k", problem.suffix_k},
                          {"suffix_v", problem.suffix_v}};
  for (const Arguments arguments : {Arguments(own), others})
    for (const Argument& argument : arguments)
      if (argument.tensor.defined())
        if (std::string reason = why_not_aligned(argument); !reason.empty()) return reason;
  return "";
}

}  // namespace eyrie::gpu::sm80
