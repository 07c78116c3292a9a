// attention/sm80/backward_kernel.cuh: the backward tile loop, mma.sync m16n8k16 + cp.async, sm_80 and later. A CTA owns
// key tiles of one key-value head: it walks the row tiles that see them, for each query head in turn, sums dk and dv in
// registers and adds them to the fp32 gradients once. dq goes to an fp32 workspace by atomic additions; the workspace
// starts from the suffix's part of dq (gpu/rows.cuh). With the merged lse and delta this is spec §4's backward:
//   p = exp(scale q.k - lse),  ds = p (do.v - delta),  dq = scale ds k,  dk = scale ds^T q,  dv = p^T do
//
// Tile       64 rows x 128 keys (64 where shared memory is small, or dim is 256); 8 warps: s and dp as 2 x 4 warps,
//            dk and dv as 4 x 2, dq as 2 x 4 (4 x 2 where dim / 4 is not a multiple of 16).
// Registers  dim 128: dk 64 + dv 64 + s 32 + dp 32 (dq's 32 take s's place) + fragments of 255; 1 CTA per SM.
// Shared     K, V 34 KiB each; dO 17, two stages of Q 34; P and dS 34: 155 KiB at dim 128, which an A100 has too.
// Per tile   5 products of 2 64 128 dim FLOP: 2,560 cycles at full rate, about 4,100 at mma.sync's; shared reads and
//            writes 5,000 cycles: the limit at dim 128. It takes about 8,000: two warps a scheduler hide too little.
// Branches   are dear: ptxas moves no load or product across one (docs/benchmarks.md has what each cost).
#pragma once
#include "attention/gpu/causal_tiles.cuh"
#include "attention/gpu/rows.cuh"
#include "attention/sm80/tile.cuh"

namespace eyrie::gpu::sm80 {

template <int kDim, bool kLarge>
struct BackwardPlan {
  static constexpr int kRows = 64, kKeys = kLarge && kDim <= 128 ? 128 : 64, kStages = kLarge ? 2 : 1;
  static constexpr int kThreads = 256;
  static constexpr int kRowBytes = kPitch<kDim> * 2, kScorePitch = kKeys + 8;
  // K, V, dO; stages of Q; P, dS; stages of {lse, delta}, token, start, suffix_row.
  static constexpr int kOperandBytes = (2 * kKeys + (1 + kStages) * kRows) * kRowBytes;
  static constexpr int kScoreBytes = kRows * kScorePitch * 2;
  static constexpr int kInfoBytes = kRows * 20;
  static constexpr int kSharedBytes = kOperandBytes + 2 * kScoreBytes + kStages * kInfoBytes;
};

// Deterministic sums: CTAs add to a row tile in the order of its key tiles. Those before were launched before.
__device__ __forceinline__ void wait_for_turn(const int* turn, int rank) {
  if (threadIdx.x == 0)
    while (cuda::load_acquire(turn) != rank) {
    }
  __syncthreads();
}
__device__ __forceinline__ void pass_turn(int* turn) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) cuda::add_release(turn, 1);
}

template <typename T, int kDim, bool kLarge, typename Tiles>
__global__ void __launch_bounds__(BackwardPlan<kDim, kLarge>::kThreads, 1)
    backward_kernel(const Problem<T> problem, const Gradients<T> grad, const Order order,
                    const typename Tiles::Lists lists) {
  using Plan = BackwardPlan<kDim, kLarge>;
  constexpr int kRows = Plan::kRows, kKeys = Plan::kKeys, kStages = Plan::kStages, kThreads = Plan::kThreads;
  constexpr int kPitchX = kPitch<kDim>, kPitchS = Plan::kScorePitch;
  constexpr int kScoreColumns = kKeys / 32, kKeyBlocks = kKeys / 64;  // octets and blocks of 16 of a warp
  constexpr int kDimColumns = kDim / 16;                              // octets of a warp's half of dim
  constexpr bool kWideQ = kDim % 64 == 0;                             // dq by 2 x 4 warps
  constexpr int kQBlocks = kWideQ ? 2 : 1, kQWidth = kWideQ ? kDim / 4 : kDim / 2, kQColumns = kQWidth / 8;
  extern __shared__ __align__(16) unsigned char memory[];
  const uint32_t k_at = cuda::shared_address(memory), v_at = k_at + kKeys * Plan::kRowBytes,
                 do_at = v_at + kKeys * Plan::kRowBytes, p_at = k_at + Plan::kOperandBytes,
                 ds_at = p_at + Plan::kScoreBytes, info_at = ds_at + Plan::kScoreBytes;
  constexpr int kStageBytes = kRows * Plan::kRowBytes;  // stages of Q lie behind dO
  unsigned char* const info = memory + Plan::kOperandBytes + 2 * Plan::kScoreBytes;

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int key_place, first_head;
  order.place(static_cast<int>(blockIdx.x), key_place, first_head);
  first_head *= grad.heads;
  const int kv_head = first_head / problem.group;
  const float factor = problem.scale * kLog2E;

  // Two warps share a quarter of the keys. s, dp: each 32 of the rows; dk, dv: each half of dim.
  const int quarter = warp % 4, side = warp / 4;
  const int score_row = side * 32, score_key = quarter * (kKeys / 4), half_of_dim = side * (kDim / 2);
  const int q_row = kWideQ ? side * 32 : quarter * 16, q_column = (kWideQ ? quarter : side) * kQWidth;
  const uint32_t k_lane = k_at + score_key * Plan::kRowBytes + lane_of_b(lane, kPitchX),
                 v_lane = v_at + score_key * Plan::kRowBytes + lane_of_b(lane, kPitchX),
                 p_turned = p_at + score_key * 2 + lane_of_b(lane, kPitchS),
                 ds_turned = ds_at + score_key * 2 + lane_of_b(lane, kPitchS),
                 ds_lane = ds_at + q_row * kPitchS * 2 + lane_of_a(lane, kPitchS),
                 k_turned = k_at + q_column * 2 + lane_of_a(lane, kPitchX);
  const uint32_t do_lane = do_at + score_row * Plan::kRowBytes + lane_of_a(lane, kPitchX),
                 do_turned = do_at + half_of_dim * 2 + lane_of_a(lane, kPitchX);
  const uint32_t score_at = p_at + ((score_row + lane / 4) * kPitchS + score_key + lane % 4 * 2) * 2;

  Tiles tiles(problem, lists, key_place);
  KeyTile keys;
  while (tiles.next_keys(keys)) {
    const auto load_keys = [&](uint32_t to, const Heads<const T>& from) {
      load_rows<kDim, kKeys, kThreads>(to, from.at(keys.first, kv_head), from.row_step,
                                       [&](int key) { return tiles.present(keys, keys.first + key); });
    };
    const auto load_row_operand = [&](uint32_t to, const Heads<const T>& from, const RowTile& tile, int head) {
      const auto load = [&](auto valid) {
        load_rows<kDim, kRows, kThreads>(to, from.at(tile.first, head), from.row_step, valid);
      };
      if (tile.end - tile.first == kRows)
        load(AllValid());
      else
        load([&](int row) { return tile.first + row < tile.end; });
    };
    const auto load_q = [&](int stage, const RowTile& tile, int head) {
      const int row = static_cast<int>(threadIdx.x);
      if (row < kRows) {
        const int from = min(tile.first + row, tile.end - 1);
        const uint32_t at = info_at + stage * Plan::kInfoBytes;
        cuda::copy_8_async(at + row * 8, grad.stats + static_cast<int64_t>(head) * problem.rows + from);
        if (!tile.full) {
          cuda::copy_4_async(at + kRows * 8 + row * 4, problem.token + from);
          cuda::copy_4_async(at + kRows * 12 + row * 4, problem.start + from);
          if (keys.round > 0) cuda::copy_4_async(at + kRows * 16 + row * 4, problem.suffix_row + from);
        }
      }
      load_row_operand(do_at + (1 + stage) * kStageBytes, problem.q, tile, head);
    };
    load_keys(k_at, problem.keys(keys.round));
    load_keys(v_at, problem.values(keys.round));
    int head = first_head, stage = 0;
    RowTile ahead;
    tiles.restart();
    bool more = tiles.next_rows(ahead);
    if (more) load_q(0, ahead, head), load_row_operand(do_at, grad.d_o, ahead, head);
    cuda::commit_copies();

    float dk[kKeyBlocks][kDimColumns][4] = {}, dv[kKeyBlocks][kDimColumns][4] = {};
    while (more) {
      const RowTile tile = ahead;
      const int tile_head = head;
      const uint32_t to_q = (1 + stage) * kStageBytes;
      cuda::wait_copies<0>();
      __syncthreads();  // Q and dO are there; nobody reads the other stage, P or dS any more
      more = tiles.next_rows(ahead);
      if (!more && head + 1 < first_head + grad.heads) {
        ++head, tiles.restart();
        more = tiles.next_rows(ahead);
      }
      float s[2][kScoreColumns][4] = {}, dp[2][kScoreColumns][4] = {};
      multiply<T, 2, kScoreColumns, kDim / 16, Turned::no, Turned::no, kPitchX, kPitchX>(s, do_lane + to_q, k_lane);
      multiply<T, 2, kScoreColumns, kDim / 16, Turned::no, Turned::no, kPitchX, kPitchX>(dp, do_lane, v_lane);
      const float2* const stats = reinterpret_cast<const float2*>(info + stage * Plan::kInfoBytes);
      if (!tile.full) {
        const int* const token = reinterpret_cast<const int*>(stats + kRows);
#pragma unroll
        for (int block = 0; block < 2; ++block)
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int row = score_row + block * 16 + half * 8 + lane / 4;
            const bool there = tile.first + row < tile.end;
            const RowInfo own = {there ? token[row] : -1, there ? token[kRows + row] : INT_MAX,
                                 there ? token[2 * kRows + row] : -1};
#pragma unroll
            for (int octet = 0; octet < kScoreColumns; ++octet)
#pragma unroll
              for (int e = 0; e < 2; ++e)
                if (!own.sees(keys.round, keys.first + score_key + octet * 8 + lane % 4 * 2 + e))
                  s[block][octet][2 * half + e] = -INFINITY;
          }
      }
#pragma unroll
      for (int block = 0; block < 2; ++block)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int below = block * 16 + half * 8;
          const float2 stat = stats[score_row + below + lane / 4];
#pragma unroll
          for (int octet = 0; octet < kScoreColumns; ++octet) {
            float p[2], ds[2];
#pragma unroll
            for (int e = 0; e < 2; ++e) {
              p[e] = cuda::exp2_fast(fmaf(s[block][octet][2 * half + e], factor, -stat.x));
              ds[e] = p[e] * (dp[block][octet][2 * half + e] - stat.y);
            }
            const uint32_t at = score_at + (below * kPitchS + octet * 8) * 2;
            cuda::store_4(at, cuda::pack<T>(p[0], p[1]));
            cuda::store_4(at + Plan::kScoreBytes, cuda::pack<T>(ds[0], ds[1]));
          }
        }
      if (kStages == 2) {  // here, where s and dp have left their registers
        stage ^= 1;
        if (more) load_q(stage, ahead, head);
        cuda::commit_copies();
      }
      __syncthreads();  // P and dS are there

      multiply<T, kKeyBlocks, kDimColumns, kRows / 16, Turned::yes, Turned::yes, kPitchS, kPitchX>(dv, p_turned,
                                                                                                   do_turned);
      __syncthreads();  // nobody reads dO any more
      if (more) load_row_operand(do_at, grad.d_o, ahead, head);
      cuda::commit_copies();

      // dq before dk: its additions drain while dk multiplies.
      float dq[kQBlocks][kQColumns][4] = {};
      multiply<T, kQBlocks, kQColumns, kKeys / 16, Turned::no, Turned::yes, kPitchS, kPitchX>(dq, ds_lane, k_turned);
      int* const turn = grad.turn ? grad.turn + static_cast<int64_t>(tile_head) * problem.rows + tile.first : nullptr;
      if (turn) wait_for_turn(turn, tiles.rank(tile));
      const int first_dq_row = tile.first + q_row + lane / 4;
      float* const to_dq = grad.d_q + (static_cast<int64_t>(tile_head) * problem.rows + first_dq_row) * kDim + q_column;
      float* const to_nowhere = grad.nowhere + lane / 4 * kDim + q_column;
#pragma unroll
      for (int block = 0; block < kQBlocks; ++block)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          constexpr int kLast = kQColumns - 1;
          const int below = block * 16 + half * 8;
          float* const to_row = first_dq_row + below < tile.end ? to_dq + below * kDim : to_nowhere;
#pragma unroll
          for (int pair = 0; pair < kQColumns / 2; ++pair)
            cuda::add_four(to_row + pair * 16 + lane % 4 * 4, dq[block][2 * pair] + 2 * half,
                           dq[block][2 * pair + 1] + 2 * half);
          if (kQColumns % 2) cuda::add_two(to_row + kLast * 8 + lane % 4 * 2, dq[block][kLast] + 2 * half);
        }
      multiply<T, kKeyBlocks, kDimColumns, kRows / 16, Turned::yes, Turned::yes, kPitchS, kPitchX>(dk, ds_turned,
                                                                                                   do_turned + to_q);
      if (turn) pass_turn(turn);
      if (kStages == 1) {
        __syncthreads();  // nobody reads Q any more
        if (more) load_q(0, ahead, head);
        cuda::commit_copies();
      }
    }

    const Heads<float> to_k = grad.keys(keys.round), to_v = grad.values(keys.round);
#pragma unroll
    for (int block = 0; block < kKeyBlocks; ++block)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int key = keys.first + score_key + block * 16 + half * 8 + lane / 4;
        if (key > keys.last) continue;
        const int column = half_of_dim + lane % 4 * 2;
        float *const k_row = to_k.at(key, kv_head) + column, *const v_row = to_v.at(key, kv_head) + column;
#pragma unroll
        for (int octet = 0; octet < kDimColumns; ++octet) {
          float* const own_k = dk[block][octet] + 2 * half;
          own_k[0] *= problem.scale, own_k[1] *= problem.scale;
          cuda::add_two(k_row + octet * 8, own_k);
          cuda::add_two(v_row + octet * 8, dv[block][octet] + 2 * half);
        }
      }
    __syncthreads();  // before the next key tile's loads
  }
}

}  // namespace eyrie::gpu::sm80
