// attention/gpu/problem.cuh: suffix attention as the kernels see it: pointers and steps, in elements. T is
// __nv_bfloat16 or __half (float in dense/). Checked at the door; 16-byte rows for the tile loops.
#pragma once
#include <cstdint>

namespace eyrie::gpu {

constexpr float kLog2E = 1.4426950408889634f;  // the exponentials of the kernels are powers of two

// [places, heads, dim], the last dimension contiguous.
template <typename T>
struct Heads {
  T* data = nullptr;
  int64_t row_step = 0, head_step = 0;
  __device__ __forceinline__ T* at(int64_t row, int head) const { return data + row * row_step + head * head_step; }
  __device__ __forceinline__ Heads moved(int64_t elements) const { return {data + elements, row_step, head_step}; }
};

// Keys or values: round 0 is the prefix, round i the i-th suffix.
template <typename T>
struct Rounds {
  Heads<T> prefix, suffix = {};  // suffix: of the first depth
  int64_t block = 0;             // from one depth to the next
  __device__ __forceinline__ Heads<T> operator()(int round) const {
    return round == 0 ? prefix : suffix.moved((round - 1) * block);
  }
};

template <typename T>
struct Problem {
  Heads<const T> q;
  Rounds<const T> keys, values;
  const int32_t *token = nullptr, *start = nullptr, *suffix_row = nullptr;
  int rows = 0, tokens = 0, suffix_rows = 0, q_heads = 0, kv_heads = 0, group = 0, depth = 0;
  float scale = 0;
};

// What forward writes.
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
