// Every score computed by itself, a warp per row and head, sums in fp32 in one fixed order: any width up to 512, any
// strides, f32 too. The oracle on the GPU, and what small or odd shapes fall back to.
#include "attention/bisect.h"
#include "attention/cost.h"
#include "attention/gpu/dispatch.cuh"
#include "cuda/launch.cuh"

namespace eyrie::gpu {
namespace {

constexpr int kThreads = 128, kWidest = 512, kSlots = kWidest / 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ int lane_of_thread() { return static_cast<int>(threadIdx.x) % 32; }
__device__ int64_t warp_of_thread() { return (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / 32; }

__device__ float sum_of_warp(float x) {
  for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(kAllLanes, x, other);
  return x;
}

template <typename T>
__device__ float dot(const T* a, const T* b, int count) {
  float sum = 0;
  for (int i = lane_of_thread(); i < count; i += 32)
    sum = fmaf(static_cast<float>(a[i]), static_cast<float>(b[i]), sum);
  return sum_of_warp(sum);
}

// A vector of up to 512 over the lanes of a warp.
struct Spread {
  float x[kSlots] = {};
  template <typename T>
  __device__ void add(float factor, const T* from, int count) {
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot)
      if (const int i = slot * 32 + lane_of_thread(); i < count)
        x[slot] = fmaf(factor, static_cast<float>(from[i]), x[slot]);
  }
  template <typename Put>
  __device__ void each(int count, Put put) const {
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot)
      if (const int i = slot * 32 + lane_of_thread(); i < count) put(i, x[slot]);
  }
};

// The keys that a row sees are numbered: its prefix first, then its suffix.
template <typename T>
struct Keys {
  const Problem<T>& problem;
  int kv_head, first, prefix, place;
  __device__ Keys(const Problem<T>& given, int row, int head)
      : problem(given),
        kv_head(head),
        first(given.start[row]),
        prefix(given.token[row] - first + 1),
        place(given.depth ? given.suffix_row[row] : 0) {}
  __device__ int count() const { return prefix + problem.depth; }
  __device__ const T* k(int i) const {
    return i < prefix ? problem.keys.prefix.at(first + i, kv_head) : problem.keys(i - prefix + 1).at(place, kv_head);
  }
  __device__ const T* v(int i) const {
    return i < prefix ? problem.values.prefix.at(first + i, kv_head)
                      : problem.values(i - prefix + 1).at(place, kv_head);
  }
};

struct Widths {
  int dim, value_dim;
};

template <typename T>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(const Problem<T> problem, const Outputs<T> out, const Widths width) {
  const int64_t warp = warp_of_thread();
  if (warp >= static_cast<int64_t>(problem.rows) * problem.q_heads) return;
  const int row = static_cast<int>(warp / problem.q_heads), head = static_cast<int>(warp % problem.q_heads);
  const Keys<T> keys(problem, row, head / problem.group);
  const T* q = problem.q.at(row, head);
  float highest = -INFINITY, sum = 0;
  Spread o;
  for (int i = 0; i < keys.count(); ++i) {
    const float score = problem.scale * dot(q, keys.k(i), width.dim), higher = fmaxf(highest, score);
    const float older = expf(highest - higher), weight = expf(score - higher);
    highest = higher, sum = fmaf(sum, older, weight);
    for (float& x : o.x) x *= older;
    o.add(weight, keys.v(i), width.value_dim);
  }
  o.each(width.value_dim, [&](int i, float x) { out.o.at(row, head)[i] = static_cast<T>(x / sum); });
  if (lane_of_thread() == 0) out.lse[row * out.lse_step + head] = highest + logf(sum);
}

template <typename T>
struct Wanted {
  Heads<const T> o, d_o;
  const float* lse;
  int64_t lse_step;
  Heads<T> d_q;
  Rounds<float> keys, values;
};

struct Weight {
  float p, d_score;  // d_score: of q.k, so with the scale
};
template <typename T>
__device__ Weight weight_of(const Problem<T>& problem, const Wanted<T>& w, const Widths& width, int row, int head,
                            float delta, const T* k, const T* v) {
  const float p = expf(problem.scale * dot(problem.q.at(row, head), k, width.dim) - w.lse[row * w.lse_step + head]);
  return {p, problem.scale * p * (dot(w.d_o.at(row, head), v, width.value_dim) - delta)};
}
template <typename T>
__device__ float delta_of(const Wanted<T>& w, const Widths& width, int row, int head) {
  return dot(w.o.at(row, head), w.d_o.at(row, head), width.value_dim);
}

// d_q and the suffix's gradients: a warp per row and key-value head.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    rows_kernel(const Problem<T> problem, const Wanted<T> w, const Widths width) {
  const int64_t warp = warp_of_thread();
  if (warp >= static_cast<int64_t>(problem.rows) * problem.kv_heads) return;
  const int row = static_cast<int>(warp / problem.kv_heads), kv_head = static_cast<int>(warp % problem.kv_heads);
  const Keys<T> keys(problem, row, kv_head);
  for (int head = kv_head * problem.group; head < (kv_head + 1) * problem.group; ++head) {
    const float delta = delta_of(w, width, row, head);
    Spread d_q;
    for (int i = 0; i < keys.count(); ++i) {
      const Weight weight = weight_of(problem, w, width, row, head, delta, keys.k(i), keys.v(i));
      d_q.add(weight.d_score, keys.k(i), width.dim);
      if (i < keys.prefix) continue;
      float* const d_k = w.keys(i - keys.prefix + 1).at(keys.place, kv_head);
      float* const d_v = w.values(i - keys.prefix + 1).at(keys.place, kv_head);
      for (int j = lane_of_thread(); j < width.dim; j += 32)
        d_k[j] += weight.d_score * static_cast<float>(problem.q.at(row, head)[j]);
      for (int j = lane_of_thread(); j < width.value_dim; j += 32)
        d_v[j] += weight.p * static_cast<float>(w.d_o.at(row, head)[j]);
    }
    d_q.each(width.dim, [&](int i, float x) { w.d_q.at(row, head)[i] = static_cast<T>(x); });
  }
}

// The prefix's gradients: a warp per key and key-value head.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    keys_kernel(const Problem<T> problem, const Wanted<T> w, const Widths width) {
  const int64_t warp = warp_of_thread();
  if (warp >= static_cast<int64_t>(problem.tokens) * problem.kv_heads) return;
  const int key = static_cast<int>(warp / problem.kv_heads), kv_head = static_cast<int>(warp % problem.kv_heads);
  const int first = bisect(problem.token, 0, problem.rows, key);
  if (first == problem.rows || problem.start[first] > key) return;  // seen by none
  Spread d_k, d_v;
  for (int row = first; row < problem.rows && problem.start[row] <= key; ++row)
    for (int head = kv_head * problem.group; head < (kv_head + 1) * problem.group; ++head) {
      const Weight weight = weight_of(problem, w, width, row, head, delta_of(w, width, row, head),
                                      problem.keys.prefix.at(key, kv_head), problem.values.prefix.at(key, kv_head));
      d_k.add(weight.d_score, problem.q.at(row, head), width.dim);
      d_v.add(weight.p, w.d_o.at(row, head), width.value_dim);
    }
  d_k.each(width.dim, [&](int i, float x) { w.keys.prefix.at(key, kv_head)[i] += x; });
  d_v.each(width.value_dim, [&](int i, float x) { w.values.prefix.at(key, kv_head)[i] += x; });
}

Widths widths_of(const SuffixAttention& problem) {
  return {static_cast<int>(problem.q.dim(2)), static_cast<int>(problem.prefix_v.dim(2))};
}
cuda::LaunchShape warps(int64_t count) {
  return {static_cast<unsigned>((count * 32 + kThreads - 1) / kThreads), kThreads};
}

template <typename Call>
void with_type(DType dtype, Call call) {
  if (dtype == DType::f32) return call(float());
  with_half_type(dtype, call);
}

void forward(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  with_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    const auto made = problem_of<T>(problem);
    cuda::launch("attention forward, dense", forward_kernel<T>, warps(int64_t{made.rows} * made.q_heads),
                 AttentionCost::of(exec, problem).forward(made.depth), exec.stream, made, outputs_of<T>(o, lse),
                 widths_of(problem));
  });
}

void backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad) {
  with_type(problem.q.dtype, [&](auto type) {
    using T = decltype(type);
    const auto made = problem_of<T>(problem);
    const Wanted<T> wanted = {.o = heads_of<const T>(grad.o),
                              .d_o = heads_of<const T>(grad.d_o),
                              .lse = grad.lse.view<float, 2>(Device::cuda).data,
                              .lse_step = grad.lse.strides[0],
                              .d_q = heads_of<T>(grad.d_q),
                              .keys = rounds_of<float>(grad.d_prefix_k, grad.d_suffix_k, made.depth),
                              .values = rounds_of<float>(grad.d_prefix_v, grad.d_suffix_v, made.depth)};
    const auto cost = AttentionCost::of(exec, problem);
    cuda::launch("attention backward, dense, rows", rows_kernel<T>, warps(int64_t{made.rows} * made.kv_heads),
                 cost.dense_rows(), exec.stream, made, wanted, widths_of(problem));
    cuda::launch("attention backward, dense, keys", keys_kernel<T>, warps(int64_t{made.tokens} * made.kv_heads),
                 cost.dense_keys(), exec.stream, made, wanted, widths_of(problem));
  });
}

std::string why_not(const SuffixAttention& problem, Arguments) {
  const Widths width = widths_of(problem);
  if (width.dim <= kWidest && width.value_dim <= kWidest) return "";
  return "q: it takes head dimensions up to " + std::to_string(kWidest) + ", found " + std::to_string(width.dim) +
         " and " + std::to_string(width.value_dim);
}

int64_t scratch_bytes(const SuffixAttention&) { return 0; }

}  // namespace

const Implementation kDense = {"gpu", Device::cuda, why_not, scratch_bytes, forward, backward};

}  // namespace eyrie::gpu
