// attention/gpu/problem.cuh: suffix attention as the kernels see it: pointers and steps, in elements. T is
// __nv_bfloat16 or __half (float in dense/). Checked at the door; 16-byte rows for the tile loops.
#pragma once
#include <cstdint>

namespace eyrie::gpu {

// [places, heads, dim], the last dimension contiguous.
template <typename T>
struct Heads {
  T* data = nullptr;
  int64_t row_step = 0, head_step = 0;
  __device__ __forceinline__ T* at(int64_t row, int head) const { return data + row * row_step + head * head_step; }
  __device__ __forceinline__ Heads moved(int64_t elements) const { return {data + elements, row_step, head_step}; }
};

template <typename T>
struct Problem {
  Heads<const T> q, prefix_k, prefix_v;
  Heads<const T> suffix_k = {}, suffix_v = {};     // of the first depth
  int64_t suffix_k_block = 0, suffix_v_block = 0;  // from one depth to the next
  const int32_t *token = nullptr, *start = nullptr, *suffix_row = nullptr;
  int rows = 0, tokens = 0, suffix_rows = 0, q_heads = 0, kv_heads = 0, group = 0, depth = 0;
  float scale = 0;

  // Keys and values of one round for one head: round 0 is the prefix, round i the i-th suffix.
  __device__ __forceinline__ Heads<const T> keys(int round) const {
    return round == 0 ? prefix_k : suffix_k.moved((round - 1) * suffix_k_block);
  }
  __device__ __forceinline__ Heads<const T> values(int round) const {
    return round == 0 ? prefix_v : suffix_v.moved((round - 1) * suffix_v_block);
  }
};

// Forward writes o and lse; backward adds into the gradients of keys and values.
template <typename T>
struct Outputs {
  Heads<T> o;
  float* lse = nullptr;  // [rows, q_heads]
  int64_t lse_step = 0;
};

// Which CTA does what: all tiles of `heads` neighbouring query heads (their keys fit in L2 together), the longest
// first, then the next heads.
struct Order {
  int tiles, heads;
  __device__ __forceinline__ void place(int block, int& tile, int& head) const {
    const int section = block / (tiles * heads), rest = block - section * tiles * heads;
    tile = rest / heads;
    head = section * heads + rest - tile * heads;
  }
};

}  // namespace eyrie::gpu
