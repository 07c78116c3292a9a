#include "attention/gpu/dispatch.cuh"
#include "attention/gpu/rows.cuh"
#include "cuda/launch.cuh"
#include "cuda/ptx/mma.cuh"

namespace eyrie::gpu {
namespace {

constexpr int kThreads = 128, kTogether = 4;  // query heads whose rows a team keeps in registers

// A team of lanes holds one row: eight elements (16 bytes) each, the lanes beyond dim / 8 zeros.
template <int kDim>
constexpr int kTeam = kDim <= 32    ? 4
                      : kDim <= 64  ? 8
                      : kDim <= 128 ? 16
                                    : 32;

struct Eight {
  float x[8];
};

template <typename T>
__device__ __forceinline__ Eight widen(const uint4& packed) {
  const float2 a = cuda::unpack<T>(packed.x), b = cuda::unpack<T>(packed.y), c = cuda::unpack<T>(packed.z),
               d = cuda::unpack<T>(packed.w);
  return {{a.x, a.y, b.x, b.y, c.x, c.y, d.x, d.y}};
}
template <typename T>
__device__ __forceinline__ uint4 narrow(const Eight& v) {
  return {cuda::pack<T>(v.x[0], v.x[1]), cuda::pack<T>(v.x[2], v.x[3]), cuda::pack<T>(v.x[4], v.x[5]),
          cuda::pack<T>(v.x[6], v.x[7])};
}
template <typename T>
__device__ __forceinline__ uint4 load(const T* row, int lane, bool there) {
  return there ? *reinterpret_cast<const uint4*>(row + lane * 8) : uint4{0, 0, 0, 0};
}
__device__ __forceinline__ float dot(const Eight& a, const Eight& b) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) sum = fmaf(a.x[i], b.x[i], sum);
  return sum;
}
__device__ __forceinline__ void add(Eight& to, float factor, const Eight& v) {
#pragma unroll
  for (int i = 0; i < 8; ++i) to.x[i] = fmaf(factor, v.x[i], to.x[i]);
}
// Columns 8 octet .. 8 octet + 7 of a row of dq's workspace.
template <int kDim>
__device__ __forceinline__ float2* dq_pair(float* row, int octet, int pair) {
  return reinterpret_cast<float2*>(row + dq_place<kDim>(octet * 8 + pair * 2));
}
__device__ __forceinline__ void accumulate(float* row, int lane, float factor, const Eight& v) {
  float4* const to = reinterpret_cast<float4*>(row + lane * 8);
  const float4 low = to[0], high = to[1];
  to[0] = {fmaf(factor, v.x[0], low.x), fmaf(factor, v.x[1], low.y), fmaf(factor, v.x[2], low.z),
           fmaf(factor, v.x[3], low.w)};
  to[1] = {fmaf(factor, v.x[4], high.x), fmaf(factor, v.x[5], high.y), fmaf(factor, v.x[6], high.z),
           fmaf(factor, v.x[7], high.w)};
}
template <int kWidth>
__device__ __forceinline__ float sum_of_team(float x) {
#pragma unroll
  for (int other = kWidth / 2; other > 0; other /= 2) x += __shfl_xor_sync(0xffffffffu, x, other);
  return x;
}

// Which (row, key-value head) a team works on. Lanes of a team that has none stay for the shuffles.
template <int kDim>
struct Team {
  int row, kv_head, lane;
  bool there;     // this lane has elements to read and write
  bool has_work;  // the team
  template <typename T>
  __device__ __forceinline__ explicit Team(const Problem<T>& problem) {
    const int64_t thread = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, team = thread / kTeam<kDim>;
    lane = static_cast<int>(thread % kTeam<kDim>);
    has_work = team < static_cast<int64_t>(problem.rows) * problem.kv_heads;
    row = has_work ? static_cast<int>(team / problem.kv_heads) : 0;
    kv_head = static_cast<int>(team % problem.kv_heads);
    there = has_work && lane < kDim / 8;
  }
};

template <typename T, int kDim>
__global__ void __launch_bounds__(kThreads, 3)
    prepare_kernel(const Problem<T> problem, const Saved<T> saved, const Gradients<T> grad) {
  const Team<kDim> team(problem);
  const int place = problem.depth ? problem.suffix_row[team.row] : 0;
  const float factor = problem.scale * kLog2E;
  for (int first = 0; first < problem.group; first += kTogether) {
    uint4 q[kTogether], d_o[kTogether];
    float lse[kTogether], delta[kTogether];
    Eight d_q[kTogether] = {};
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      if (first + i >= problem.group) break;
      const int head = team.kv_head * problem.group + first + i;
      q[i] = load(problem.q.at(team.row, head), team.lane, team.there && problem.depth > 0);
      d_o[i] = load(saved.d_o.at(team.row, head), team.lane, team.there);
      const Eight o = widen<T>(load(saved.o.at(team.row, head), team.lane, team.there));
      delta[i] = sum_of_team<kTeam<kDim>>(dot(o, widen<T>(d_o[i])));
      lse[i] = saved.lse[team.row * saved.lse_step + head] * kLog2E;
      if (team.has_work && team.lane == 0)
        grad.stats[static_cast<int64_t>(head) * problem.rows + team.row] = {lse[i], delta[i]};
    }
    for (int round = 1; round <= problem.depth; ++round) {
      const Eight k = widen<T>(load(problem.keys(round).at(place, team.kv_head), team.lane, team.there)),
                  v = widen<T>(load(problem.values(round).at(place, team.kv_head), team.lane, team.there));
      Eight d_k = {}, d_v = {};
#pragma unroll
      for (int i = 0; i < kTogether; ++i) {
        if (first + i >= problem.group) break;
        const Eight own_q = widen<T>(q[i]), own_d_o = widen<T>(d_o[i]);
        const float score = sum_of_team<kTeam<kDim>>(dot(own_q, k)), d_p = sum_of_team<kTeam<kDim>>(dot(own_d_o, v));
        const float p = cuda::exp2_fast(fmaf(score, factor, -lse[i])), d_s = p * (d_p - delta[i]);
        add(d_q[i], d_s, k), add(d_k, d_s, own_q), add(d_v, p, own_d_o);
      }
      if (team.there) {
        accumulate(grad.keys(round).at(place, team.kv_head), team.lane, problem.scale, d_k);
        accumulate(grad.values(round).at(place, team.kv_head), team.lane, 1, d_v);
      }
    }
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      if (first + i >= problem.group) break;
      const int64_t head = team.kv_head * problem.group + first + i;
      if (team.there)
#pragma unroll
        for (int pair = 0; pair < 4; ++pair)
          *dq_pair<kDim>(grad.d_q + (head * problem.rows + team.row) * kDim, team.lane, pair) = {
              d_q[i].x[2 * pair], d_q[i].x[2 * pair + 1]};
    }
  }
}

template <typename T, int kDim>
__global__ void __launch_bounds__(kThreads) merge_kernel(const Problem<T> problem, const Outputs<T> out) {
  const Team<kDim> team(problem);
  const int place = problem.suffix_row[team.row];
  const float factor = problem.scale * kLog2E;
  for (int head = team.kv_head * problem.group; head < (team.kv_head + 1) * problem.group; ++head) {
    const Eight q = widen<T>(load(problem.q.at(team.row, head), team.lane, team.there));
    Eight o = widen<T>(load(out.o.at(team.row, head), team.lane, team.there));
    float& lse = out.lse[team.row * out.lse_step + head];
    float highest = lse * kLog2E, sum = 1;
    for (int round = 1; round <= problem.depth; ++round) {
      const Eight k = widen<T>(load(problem.keys(round).at(place, team.kv_head), team.lane, team.there)),
                  v = widen<T>(load(problem.values(round).at(place, team.kv_head), team.lane, team.there));
      const float score = sum_of_team<kTeam<kDim>>(dot(q, k)) * factor, higher = fmaxf(highest, score);
      const float older = cuda::exp2_fast(highest - higher), weight = cuda::exp2_fast(score - higher);
      highest = higher, sum = fmaf(sum, older, weight);
#pragma unroll
      for (int i = 0; i < 8; ++i) o.x[i] = fmaf(o.x[i], older, weight * v.x[i]);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) o.x[i] /= sum;
    if (team.there) *reinterpret_cast<uint4*>(out.o.at(team.row, head) + team.lane * 8) = narrow<T>(o);
    if (team.has_work && team.lane == 0) lse = (highest + log2f(sum)) * 0.6931471805599453f;
  }
}

template <typename T, int kDim>
__global__ void __launch_bounds__(kThreads)
    finish_kernel(const Problem<T> problem, float* workspace, const Heads<T> d_q) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t chunks = static_cast<int64_t>(problem.rows) * problem.q_heads * (kDim / 8);
  if (index >= chunks) return;
  const int64_t row_of_head = index / (kDim / 8);
  const int chunk = static_cast<int>(index % (kDim / 8)), head = static_cast<int>(row_of_head / problem.rows);
  uint32_t packed[4];
#pragma unroll
  for (int pair = 0; pair < 4; ++pair) {
    const float2 sum = *dq_pair<kDim>(workspace + row_of_head * kDim, chunk, pair);
    packed[pair] = cuda::pack<T>(sum.x * problem.scale, sum.y * problem.scale);
  }
  *reinterpret_cast<uint4*>(d_q.at(row_of_head % problem.rows, head) + chunk * 8) = {packed[0], packed[1], packed[2],
                                                                                     packed[3]};
}

unsigned blocks_for(int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

}  // namespace

template <typename T>
void prepare(Exec& exec, const AttentionCost& cost, int dim, const Problem<T>& problem, const Saved<T>& saved,
             const Gradients<T>& grad) {
  with_dim(dim, [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    const int64_t threads = static_cast<int64_t>(problem.rows) * problem.kv_heads * kTeam<kDim>;
    cuda::launch("attention prepare", prepare_kernel<T, kDim>, {blocks_for(threads), kThreads},
                 cost.prepare(problem.depth), exec.stream, problem, saved, grad);
  });
}

template <typename T>
void merge_suffix(Exec& exec, const AttentionCost& cost, int dim, const Problem<T>& problem, const Outputs<T>& out) {
  if (problem.depth == 0) return;
  with_dim(dim, [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    const int64_t threads = static_cast<int64_t>(problem.rows) * problem.kv_heads * kTeam<kDim>;
    cuda::launch("attention merge", merge_kernel<T, kDim>, {blocks_for(threads), kThreads}, cost.merge(problem.depth),
                 exec.stream, problem, out);
  });
}

template <typename T>
void finish(Exec& exec, const AttentionCost& cost, int dim, const Problem<T>& problem, float* workspace,
            const Heads<T>& d_q) {
  with_dim(dim, [&](auto constant) {
    constexpr int kDim = decltype(constant)::value;
    const int64_t threads = static_cast<int64_t>(problem.rows) * problem.q_heads * (kDim / 8);
    cuda::launch("attention finish", finish_kernel<T, kDim>, {blocks_for(threads), kThreads}, cost.finish(),
                 exec.stream, problem, workspace, d_q);
  });
}

#define EYRIE_INSTANTIATE(T)                                                                                        \
  template void prepare(Exec&, const AttentionCost&, int, const Problem<T>&, const Saved<T>&, const Gradients<T>&); \
  template void merge_suffix(Exec&, const AttentionCost&, int, const Problem<T>&, const Outputs<T>&);               \
  template void finish(Exec&, const AttentionCost&, int, const Problem<T>&, float*, const Heads<T>&);
EYRIE_INSTANTIATE(__nv_bfloat16)
EYRIE_INSTANTIATE(__half)

}  // namespace eyrie::gpu
