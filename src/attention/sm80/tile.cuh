// attention/sm80/tile.cuh: tiles in shared memory. A row of kDim elements takes kDim + 8: 16 bytes more shift each row
// by four banks, so that the eight rows of an 8x8 block meet eight different bank groups (kDim is a multiple of 16).
#pragma once
#include "cuda/ptx/memory.cuh"
#include "cuda/ptx/mma.cuh"

namespace eyrie::gpu::sm80 {

template <int kDim>
constexpr int kPitch = kDim + 8;  // elements

// Starts copies of kRows rows of kDim 16-bit elements; row i comes from source + i * step, or is zeros where !valid(i).
template <int kDim, int kRows, int kThreads, typename T, typename Valid>
__device__ __forceinline__ void load_rows(uint32_t shared, const T* source, int64_t step, Valid valid) {
  constexpr int kChunks = kDim / 8, kCopies = kRows * kChunks;  // of 16 bytes
  int row = static_cast<int>(threadIdx.x) / kChunks, chunk = static_cast<int>(threadIdx.x) % kChunks;
  if constexpr (kThreads % kChunks == 0) {  // a thread keeps its chunk and steps down the rows
    constexpr int kStride = kThreads / kChunks;
    static_assert(kRows % kStride == 0);
    source += row * step + chunk * 8;
    shared += (row * kPitch<kDim> + chunk * 8) * 2;
#pragma unroll
    for (int copy = 0; copy < kRows / kStride; ++copy) {
      cuda::copy_16_async(shared + copy * kStride * kPitch<kDim> * 2, source, valid(row + copy * kStride));
      source += kStride * step;
    }
  } else {
#pragma unroll
    for (int index = static_cast<int>(threadIdx.x); index < kCopies; index += kThreads) {
      row = index / kChunks, chunk = index % kChunks;
      cuda::copy_16_async(shared + (row * kPitch<kDim> + chunk * 8) * 2, source + row * step + chunk * 8, valid(row));
    }
  }
}

struct AllValid {
  __device__ __forceinline__ bool operator()(int) const { return true; }
};

// Where a lane points for the fragments of an operand that lies in shared memory with the given pitch: an a, or two b's
// whose k runs down the rows (turned); and a turned a, or two b's whose k runs along a row.
__device__ __forceinline__ uint32_t lane_of_a(int lane, int pitch) {
  return ((lane & 15) * pitch + (lane >> 4) * 8) * 2;
}
__device__ __forceinline__ uint32_t lane_of_b(int lane, int pitch) {
  return (((lane >> 4) * 8 + (lane & 7)) * pitch + (lane >> 3 & 1) * 8) * 2;
}

enum class Turned : bool { no, yes };

// c [16 kBlocks, 8 kColumns] += a [16 kBlocks, 16 kSteps] b, both from shared memory; `a` and `b` are this lane's
// addresses (lane_of_...). ptxas starts the loads of a step while the one before multiplies.
template <typename T, int kBlocks, int kColumns, int kSteps, Turned kA, Turned kB, int kPitchA, int kPitchB>
__device__ __forceinline__ void multiply(float (&c)[kBlocks][kColumns][4], uint32_t a, uint32_t b) {
  constexpr int kPairs = kColumns / 2;
  constexpr bool kOdd = kColumns % 2 != 0;
  static_assert(!kOdd || kB == Turned::yes, "an odd octet of columns is loaded from rows of k only");
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    uint32_t as[kBlocks][4], bs[kPairs + kOdd][4];
#pragma unroll
    for (int block = 0; block < kBlocks; ++block)
      if constexpr (kA == Turned::yes)
        cuda::load_blocks_transposed(as[block], a + (step * 16 * kPitchA + block * 16) * 2);
      else
        cuda::load_blocks(as[block], a + (block * 16 * kPitchA + step * 16) * 2);
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair)
      if constexpr (kB == Turned::yes)
        cuda::load_blocks_transposed(bs[pair], b + (step * 16 * kPitchB + pair * 16) * 2);
      else
        cuda::load_blocks(bs[pair], b + (pair * 16 * kPitchB + step * 16) * 2);
    if constexpr (kOdd) {
      uint32_t last[2];
      cuda::load_two_blocks_transposed(last, b + (step * 16 * kPitchB + kPairs * 16) * 2);
      bs[kPairs][0] = last[0], bs[kPairs][1] = last[1];
    }
#pragma unroll
    for (int column = 0; column < kColumns; ++column)
#pragma unroll
      for (int block = 0; block < kBlocks; ++block)
        cuda::mma_16x8x16<T>(c[block][column], as[block], bs[column / 2][column % 2 * 2],
                             bs[column / 2][column % 2 * 2 + 1]);
  }
}

// The accumulators of a product as the a of the next one: columns [16 step, 16 step + 16) of one block of rows.
template <typename T, int kColumns>
__device__ __forceinline__ void as_a(uint32_t (&a)[4], const float (&c)[kColumns][4], int step) {
  a[0] = cuda::pack<T>(c[2 * step][0], c[2 * step][1]);
  a[1] = cuda::pack<T>(c[2 * step][2], c[2 * step][3]);
  a[2] = cuda::pack<T>(c[2 * step + 1][0], c[2 * step + 1][1]);
  a[3] = cuda::pack<T>(c[2 * step + 1][2], c[2 * step + 1][3]);
}

__device__ __forceinline__ float sum_of_quad(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ __forceinline__ float max_of_quad(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

}  // namespace eyrie::gpu::sm80
