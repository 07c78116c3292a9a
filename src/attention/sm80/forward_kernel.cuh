// attention/sm80/forward_kernel.cuh: the forward tile loop, mma.sync m16n8k16 + cp.async, sm_80 and later. A backend is
// its Tiles (which keys, in tiles of 64) and its start (whether the suffix is the first state of the softmax).
//
// Tile       128 rows x 64 keys; dim <= 128: 4 warps of 32 rows, 2 CTAs per SM; dim 256: 8 warps of 16 rows, 1 CTA.
// Registers  dim 128: o 128 + s 64 (p packs into it) + fragments 48 of 255.
// Shared     (128 + 64 + 64) rows of 2 dim + 16 bytes: 68 KiB at dim 128. K and V have one buffer each: V loads behind
//            q k, the next K behind p v.
// Per tile   4 128 64 dim FLOP: 1,024 cycles of a whole SM's tensor cores at dim 128, about 1,650 at mma.sync's rate;
//            shared reads 4 warps x (K 16 + V 16 + Q 8) KiB = 1,280 cycles.
// Floor      4,096 tokens, 32 heads, dim 128: 137 GFLOP = 0.17 ms at 790 TFLOP/s, 0.28 ms at mma.sync's rate.
#pragma once
#include <new>

#include "attention/gpu/causal_tiles.cuh"
#include "attention/gpu/problem.cuh"
#include "attention/sm80/suffix_start.cuh"
#include "attention/sm80/tile.cuh"

namespace eyrie::gpu::sm80 {

template <int kDim>
struct ForwardPlan {
  static constexpr int kRows = 128, kKeys = 64;
  static constexpr int kBlocks = kDim <= 128 ? 2 : 1;  // of 16 rows, a warp
  static constexpr int kThreads = kRows / (16 * kBlocks) * 32, kCtas = kDim <= 128 ? 2 : 1;
  static constexpr int kSharedBytes = (kRows + 2 * kKeys) * kPitch<kDim> * 2 + 3 * kRows * 4;
};

constexpr float kLowest = -1e30f;  // below every score, and finite: no case of its own in the loop

template <typename T, int kDim, typename Tiles>
__global__ void __launch_bounds__(ForwardPlan<kDim>::kThreads, ForwardPlan<kDim>::kCtas)
    forward_kernel(const Problem<T> problem, const Outputs<T> out, const Order order,
                   const typename Tiles::Lists lists) {
  using Plan = ForwardPlan<kDim>;
  constexpr int kBlocks = Plan::kBlocks, kOctets = Plan::kKeys / 8, kPitchQ = kPitch<kDim>;
  extern __shared__ __align__(16) unsigned char memory[];
  T* const shared_q = reinterpret_cast<T*>(memory);
  const uint32_t q_at = cuda::shared_address(memory), k_at = q_at + Plan::kRows * kPitchQ * 2,
                 v_at = k_at + Plan::kKeys * kPitchQ * 2;
  int* const token = reinterpret_cast<int*>(memory + (Plan::kRows + 2 * Plan::kKeys) * kPitchQ * 2);
  int *const start = token + Plan::kRows, *const suffix_row = start + Plan::kRows;

  int row_tile, head;
  order.place(static_cast<int>(blockIdx.x), row_tile, head);
  row_tile = order.tiles - 1 - row_tile;
  const int first_row = row_tile * Plan::kRows, rows = min(Plan::kRows, problem.rows - first_row);
  const int kv_head = head / problem.group, lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 16 * kBlocks;

  load_rows<kDim, Plan::kRows, Plan::kThreads>(q_at, problem.q.at(first_row, head), problem.q.row_step,
                                               [&](int row) { return row < rows; });
  for (int row = static_cast<int>(threadIdx.x); row < Plan::kRows; row += Plan::kThreads) {
    const bool there = row < rows;
    token[row] = there ? problem.token[first_row + row] : -1;
    start[row] = there ? problem.start[first_row + row] : INT_MAX;
    suffix_row[row] = there && problem.depth ? problem.suffix_row[first_row + row] : -1;
  }
  __syncthreads();

  // One thread walks the tiles, through shared memory: a register of every thread is dearer than its steps.
  __shared__ __align__(16) unsigned char tiles_memory[sizeof(Tiles)];
  __shared__ KeyTile tile_memory[2];
  Tiles& tiles = *reinterpret_cast<Tiles*>(tiles_memory);
  int slot = 0;
  if (threadIdx.x == 0) {
    new (&tiles) Tiles(problem, lists, row_tile, token, start, suffix_row, rows);
    tile_memory[0].there = tiles.next(tile_memory[0]);
  }
  __syncthreads();
  const auto load_tile = [&](uint32_t to, const Heads<const T>& from, const KeyTile tile) {  // a copy, in registers
    const auto load = [&](auto valid) {
      load_rows<kDim, Plan::kKeys, Plan::kThreads>(to, from.at(tile.first, kv_head), from.row_step, valid);
    };
    if (tile.full)
      load(AllValid());
    else
      load([&](int key) { return tiles.present(tile, tile.first + key); });
  };
  load_tile(k_at, problem.keys(tile_memory[0].round), tile_memory[0]);  // every row tile sees some keys
  cuda::commit_copies();

  float o[kBlocks][kDim / 8][4] = {}, m[kBlocks][2], l[kBlocks][2] = {};
  const float factor = problem.scale * kLog2E;  // 2^x from here on
#pragma unroll
  for (int block = 0; block < kBlocks; ++block) m[block][0] = m[block][1] = kLowest;
  if (Tiles::kStartFromSuffix && problem.depth > 0)
    start_from_suffix<T, kDim, kBlocks>(problem, head, first_row + warp_row + lane / 4, factor, m, l, o);

  const uint32_t q_lane = q_at + warp_row * kPitchQ * 2 + lane_of_a(lane, kPitchQ),
                 k_lane = k_at + lane_of_b(lane, kPitchQ);
  const uint32_t v_lane = v_at + lane_of_a(lane, kPitchQ);
  while (tile_memory[slot].there) {
    const KeyTile& tile = tile_memory[slot];
    slot ^= 1;
    cuda::wait_copies<0>();
    __syncthreads();  // K is there; nobody reads V any more
    if (threadIdx.x == 0) tile_memory[slot].there = tiles.next(tile_memory[slot]);
    load_tile(v_at, problem.values(tile.round), tile);
    cuda::commit_copies();
    const bool needed = tile.full || tiles.warp_sees(tile, warp_row, 16 * kBlocks);
    float s[kBlocks][kOctets][4] = {};
    if (needed) multiply<T, kBlocks, kOctets, kDim / 16, Turned::no, Turned::no, kPitchQ, kPitchQ>(s, q_lane, k_lane);
    if (const KeyTile partial = tile; !partial.full) {
#pragma unroll
      for (int block = 0; block < kBlocks; ++block)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int row = warp_row + block * 16 + half * 8 + lane / 4;
          const RowInfo own = {min(token[row], partial.last), start[row], suffix_row[row]};
#pragma unroll
          for (int octet = 0; octet < kOctets; ++octet)
#pragma unroll
            for (int e = 0; e < 2; ++e)
              if (!own.sees(partial.round, partial.first + octet * 8 + lane % 4 * 2 + e))
                s[block][octet][2 * half + e] = -INFINITY;
        }
    }
    cuda::wait_copies<0>();
    __syncthreads();  // V is there; nobody reads K any more
    const auto load_ahead = [&] {
      if (tile_memory[slot].there) load_tile(k_at, problem.keys(tile_memory[slot].round), tile_memory[slot]);
      cuda::commit_copies();
    };
    if (!needed) {
      load_ahead();
      continue;
    }

#pragma unroll
    for (int block = 0; block < kBlocks; ++block)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float highest = m[block][half];
#pragma unroll
        for (int octet = 0; octet < kOctets; ++octet)
          highest = fmaxf(highest, fmaxf(s[block][octet][2 * half], s[block][octet][2 * half + 1]));
        highest = max_of_quad(highest);
        const float shift = highest * factor,
                    older = cuda::exp2_fast((m[block][half] - highest) * factor);  // exactly 1 when equal
        m[block][half] = highest;
        float sum[2] = {};
#pragma unroll
        for (int octet = 0; octet < kOctets; ++octet)
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float& p = s[block][octet][2 * half + e];
            p = cuda::exp2_fast(fmaf(p, factor, -shift));
            sum[e] += p;
          }
        l[block][half] = fmaf(l[block][half], older, sum[0] + sum[1]);
        if (__any_sync(0xffffffffu, older != 1.0f)) {  // else the products would change nothing
#pragma unroll
          for (int octet = 0; octet < kDim / 8; ++octet)
            o[block][octet][2 * half] *= older, o[block][octet][2 * half + 1] *= older;
        }
      }
    uint32_t p[Plan::kKeys / 16][kBlocks][4];
#pragma unroll
    for (int step = 0; step < Plan::kKeys / 16; ++step)
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) as_a<T>(p[step][block], s[block], step);
    load_ahead();
#pragma unroll
    for (int step = 0; step < Plan::kKeys / 16; ++step) {
#pragma unroll
      for (int pair = 0; pair < kDim / 16; ++pair) {
        uint32_t v[4];
        cuda::load_blocks_transposed(v, v_lane + (step * 16 * kPitchQ + pair * 16) * 2);
#pragma unroll
        for (int block = 0; block < kBlocks; ++block) {
          cuda::mma_16x8x16<T>(o[block][2 * pair], p[step][block], v[0], v[1]);
          cuda::mma_16x8x16<T>(o[block][2 * pair + 1], p[step][block], v[2], v[3]);
        }
      }
    }
  }
  cuda::wait_copies<0>();
  __syncthreads();

  // o through the warp's own rows of Q, for whole rows at a time.
#pragma unroll
  for (int block = 0; block < kBlocks; ++block)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = warp_row + block * 16 + half * 8 + lane / 4;
      const float sum = sum_of_quad(l[block][half]), share = 1 / sum;
#pragma unroll
      for (int octet = 0; octet < kDim / 8; ++octet)
        *reinterpret_cast<uint32_t*>(shared_q + row * kPitchQ + octet * 8 + lane % 4 * 2) =
            cuda::pack<T>(o[block][octet][2 * half] * share, o[block][octet][2 * half + 1] * share);
      if (lane % 4 == 0 && row < rows)
        out.lse[(first_row + row) * out.lse_step + head] = m[block][half] * problem.scale + logf(sum);
    }
  __syncwarp();
  constexpr int kChunks = kDim / 8;
  for (int index = lane; index < 16 * kBlocks * kChunks; index += 32) {
    const int row = warp_row + index / kChunks, chunk = index % kChunks;
    if (row < rows)
      *reinterpret_cast<uint4*>(out.o.at(first_row + row, head) + chunk * 8) =
          *reinterpret_cast<const uint4*>(shared_q + row * kPitchQ + chunk * 8);
  }
}

}  // namespace eyrie::gpu::sm80
