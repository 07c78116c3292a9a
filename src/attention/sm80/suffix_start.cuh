// attention/sm80/suffix_start.cuh: the suffix keys of a warp's rows as the state that the online softmax starts from:
//   m = max_i q.k_i,  l = sum_i exp(scale (q.k_i - m)),  o = sum_i exp(scale (q.k_i - m)) v_i      docs/math.md
#pragma once
#include "attention/gpu/problem.cuh"
#include "attention/sm80/tile.cuh"

namespace eyrie::gpu::sm80 {

// The 4x4 transpose of float pairs within a quad: lane u's pair t becomes lane t's pair u.
__device__ __forceinline__ void transpose_in_quad(float (&x)[8], int lane) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
    const bool upper = lane & bit;
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      if (pair & bit) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float &low = x[2 * pair + half], &high = x[2 * (pair + bit) + half];
        const float other = __shfl_xor_sync(0xffffffffu, upper ? low : high, bit);
        (upper ? low : high) = other;
      }
    }
  }
}

// One row's dim elements over a quad: lane t holds the 16-byte chunks t, t + 4, ...
template <typename T, int kDim>
struct QuadRow {
  static constexpr int kChunks = (kDim / 8 + 3) / 4;
  uint4 chunk[kChunks];

  __device__ __forceinline__ void load(const T* row, int t) {
#pragma unroll
    for (int j = 0; j < kChunks; ++j)
      chunk[j] = 4 * j + t < kDim / 8 ? *reinterpret_cast<const uint4*>(row + (4 * j + t) * 8) : uint4{0, 0, 0, 0};
  }
  // use(index of the pair of this lane's elements, the pair)
  template <typename Use>
  __device__ __forceinline__ void each_pair(Use use) const {
#pragma unroll
    for (int j = 0; j < kChunks; ++j) {
      use(4 * j, cuda::unpack<T>(chunk[j].x)), use(4 * j + 1, cuda::unpack<T>(chunk[j].y));
      use(4 * j + 2, cuda::unpack<T>(chunk[j].z)), use(4 * j + 3, cuda::unpack<T>(chunk[j].w));
    }
  }
};

// m, l and o of the rows `row` and `row` + 8 of each block, as the accumulators of an m16n8 product hold them; l in the
// first lane of a quad alone (its lanes' sums are added at the end).
template <typename T, int kDim, int kBlocks>
__device__ __forceinline__ void start_from_suffix(const Problem<T>& problem, int head, int row, float factor,
                                                  float (&m)[kBlocks][2], float (&l)[kBlocks][2],
                                                  float (&o)[kBlocks][kDim / 8][4]) {
  const int lane = threadIdx.x % 32, t = lane % 4, kv_head = head / problem.group;
#pragma unroll
  for (int block = 0; block < kBlocks; ++block)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int own = min(row + block * 16 + half * 8, problem.rows - 1), place = problem.suffix_row[own];
      QuadRow<T, kDim> q, k;
      q.load(problem.q.at(own, head), t);
      float highest = m[block][half], sum = 0, out[QuadRow<T, kDim>::kChunks * 8] = {};
      for (int round = 1; round <= problem.depth; ++round) {
        k.load(problem.keys(round).at(place, kv_head), t);
        float score = 0;
        q.each_pair([&](int index, float2 a) {
          const uint4& chunk = k.chunk[index / 4];
          const uint32_t both = index % 4 == 0   ? chunk.x
                                : index % 4 == 1 ? chunk.y
                                : index % 4 == 2 ? chunk.z
                                                 : chunk.w;
          const float2 b = cuda::unpack<T>(both);
          score = fmaf(a.x, b.x, fmaf(a.y, b.y, score));
        });
        score = sum_of_quad(score);
        const float higher = fmaxf(highest, score), older = cuda::exp2_fast((highest - higher) * factor);
        const float weight = cuda::exp2_fast((score - higher) * factor);
        highest = higher, sum = sum * older + weight;
        k.load(problem.values(round).at(place, kv_head), t);
        k.each_pair([&](int index, float2 v) {
          out[2 * index] = fmaf(weight, v.x, out[2 * index] * older);
          out[2 * index + 1] = fmaf(weight, v.y, out[2 * index + 1] * older);
        });
      }
      m[block][half] = highest, l[block][half] = t == 0 ? sum : 0;
#pragma unroll
      for (int j = 0; j < QuadRow<T, kDim>::kChunks; ++j) {
        float eight[8];
#pragma unroll
        for (int e = 0; e < 8; ++e) eight[e] = out[8 * j + e];
        transpose_in_quad(eight, lane);
#pragma unroll
        for (int u = 0; u < 4; ++u)
          if (4 * j + u < kDim / 8) {
            o[block][4 * j + u][2 * half] = eight[2 * u];
            o[block][4 * j + u][2 * half + 1] = eight[2 * u + 1];
          }
      }
    }
}

}  // namespace eyrie::gpu::sm80
