// attention/gpu/dispatch.cuh: from tensors to the kernels' types: call(T()) and call(integral_constant<int, kDim>()).
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <utility>

#include "attention/backend.h"
#include "attention/gpu/problem.cuh"

namespace eyrie::gpu {

// One of the widths that the tile loops are compiled for; no call for another.
template <typename Call>
void with_dim(int64_t dim, Call call) {
  const auto one_of = [&]<int... kDims>(std::integer_sequence<int, kDims...>) {
    ((dim == kDims ? call(std::integral_constant<int, kDims>()) : void()), ...);
  };
  one_of(std::integer_sequence<int, 32, 64, 80, 96, 128, 256>());
}

template <typename Call>
void with_half_type(DType dtype, Call call) {
  if (dtype == DType::f16) return call(__half());
  return call(__nv_bfloat16());
}

template <typename T, typename AnyTensor>  // [places, heads, dim], or that of one depth of [n, places, heads, dim]
Heads<T> heads_of(const AnyTensor& tensor) {
  const int rank = tensor.rank();
  return {static_cast<T*>(tensor.data), tensor.strides[rank - 3], tensor.strides[rank - 2]};
}

template <typename T, typename AnyTensor>
Rounds<T> rounds_of(const AnyTensor& prefix, const AnyTensor& suffix, int64_t depth) {
  if (depth == 0) return {heads_of<T>(prefix)};
  return {heads_of<T>(prefix), heads_of<T>(suffix), suffix.strides[0]};
}

template <typename T>
Problem<T> problem_of(const SuffixAttention& given) {
  const AttentionSizes sizes(given);
  Problem<T> made = {.q = heads_of<const T>(given.q),
                     .keys = rounds_of<const T>(given.prefix_k, given.suffix_k, sizes.depth),
                     .values = rounds_of<const T>(given.prefix_v, given.suffix_v, sizes.depth)};
  made.token = given.token.as<int32_t>(Device::cuda);
  made.start = given.start.as<int32_t>(Device::cuda);
  made.rows = static_cast<int>(sizes.rows), made.tokens = static_cast<int>(sizes.tokens);
  made.q_heads = static_cast<int>(sizes.q_heads), made.kv_heads = static_cast<int>(sizes.kv_heads);
  made.group = static_cast<int>(sizes.group), made.depth = static_cast<int>(sizes.depth);
  made.scale = given.scale;
  if (sizes.depth == 0) return made;
  made.suffix_row = given.suffix_row.as<int32_t>(Device::cuda);
  made.suffix_rows = static_cast<int>(given.suffix_k.dim(1));
  return made;
}

template <typename T>
Outputs<T> outputs_of(const Tensor& o, const Tensor& lse) {
  return {heads_of<T>(o), lse.view<float, 2>(Device::cuda).data, lse.strides[0]};
}

}  // namespace eyrie::gpu
