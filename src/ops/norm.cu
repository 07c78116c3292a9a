// A group of threads, half a warp, a warp or a CTA, takes a row: it reads it once into registers (wider rows than those
// hold are read again, from the cache), so a forward moves 2 elements for each of x, a backward 3, with `added` 4. Each
// group of a backward sums d_weight over the rows it takes, in shared memory; a second kernel adds the groups' sums in
// their order.
#include "ops/gpu.cuh"
#include "ops/norm.h"

namespace eyrie::cuda {
namespace {

constexpr int kCta = 256;
constexpr int64_t kHead = 128, kNarrow = 1024;  // rows of at most so many columns are half a warp's, a warp's

// kThreads of a row's group, which the others of the CTA do not meet.
template <int kThreads, int kVec>
struct Group {
  static constexpr int kHeld = kThreads == 16 && kVec == 8 ? 1 : 2;    // vectors of a row in a thread's registers
  static constexpr int64_t kChunk = int64_t{kThreads} * kVec * kHeld;  // columns held at once
  int thread = threadIdx.x % kThreads;
  int64_t first = blockIdx.x * (kCta / kThreads) + threadIdx.x / kThreads;

  __device__ __forceinline__ int64_t column(int64_t begin, int held) const {
    return begin + (int64_t{held} * kThreads + thread) * kVec;
  }
  // Columns begin, ..., begin + kChunk - 1 of a row; 0 behind its end.
  template <typename T>
  __device__ __forceinline__ void load(const T* row, int64_t begin, int64_t width, float (&to)[kHeld][kVec]) const {
#pragma unroll
    for (int h = 0; h < kHeld; ++h) {
#pragma unroll
      for (int i = 0; i < kVec; ++i) to[h][i] = 0;
      if (column(begin, h) < width) cuda::load(row + column(begin, h), to[h]);
    }
  }
  template <typename T>
  __device__ __forceinline__ void store(T* row, int64_t begin, int64_t width, const float (&from)[kHeld][kVec]) const {
#pragma unroll
    for (int h = 0; h < kHeld; ++h)
      if (column(begin, h) < width) cuda::store(row + column(begin, h), from[h]);
  }
  // Over the group, in every thread of it.
  __device__ __forceinline__ float2 sums(float2 values, float2* shared) const {
    constexpr int kLanes = kThreads < 32 ? kThreads : 32;
    const unsigned lanes = kLanes == 32 ? 0xffffffffu : 0xffffu << threadIdx.x % 32 / kLanes * kLanes;
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) {
      values.x += __shfl_xor_sync(lanes, values.x, step);
      values.y += __shfl_xor_sync(lanes, values.y, step);
    }
    if constexpr (kThreads <= 32) return values;
    __syncthreads();
    if (thread % 32 == 0) shared[thread / 32] = values;
    __syncthreads();
    values = {0, 0};
#pragma unroll
    for (int i = 0; i < kThreads / 32; ++i) values.x += shared[i].x, values.y += shared[i].y;
    return values;
  }
};

template <int kHeld, int kVec>
__device__ __forceinline__ float dot(const float (&a)[kHeld][kVec], const float (&b)[kHeld][kVec]) {
  float sum = 0;
#pragma unroll
  for (int h = 0; h < kHeld; ++h)
#pragma unroll
    for (int i = 0; i < kVec; ++i) sum += a[h][i] * b[h][i];
  return sum;
}

__device__ __forceinline__ float inverse_rms(float squares, int64_t width, float eps) {
  return 1.0f / sqrtf(squares / static_cast<float>(width) + eps);
}

template <typename T, typename W>
struct Forward {
  int64_t rows, width;
  float eps;
  Rows<const T> x;
  const W* weight;
  Rows<T> y;
};

template <int kThreads, int kVec, typename T, typename W>
__global__ void __launch_bounds__(kCta) rms_norm_rows(const __grid_constant__ Forward<T, W> op) {
  __shared__ float2 shared[kCta / 32];
  const Group<kThreads, kVec> group;
  constexpr int kHeld = group.kHeld;
  const int64_t row = group.first;
  if (row >= op.rows) return;
  float x[kHeld][kVec], w[kHeld][kVec], squares = 0;
  for (int64_t begin = 0; begin < op.width; begin += group.kChunk) {
    group.load(op.x.at(row), begin, op.width, x);
    squares += dot(x, x);
  }
  const float inverse = inverse_rms(group.sums({squares, 0}, shared).x, op.width, op.eps);
  for (int64_t begin = 0; begin < op.width; begin += group.kChunk) {
    if (op.width > group.kChunk) group.load(op.x.at(row), begin, op.width, x);
    group.load(op.weight, begin, op.width, w);
#pragma unroll
    for (int h = 0; h < kHeld; ++h)
#pragma unroll
      for (int i = 0; i < kVec; ++i) x[h][i] = x[h][i] * inverse * w[h][i];
    group.store(op.y.at(row), begin, op.width, x);
  }
}

template <typename T, typename W>
struct Backward {
  int64_t rows, width, groups;
  float eps;
  Rows<const T> x, d_y, added;  // added.data null: none
  const W* weight;
  Rows<T> d_x;
  float* d_weights;  // [groups, width]; null: not wanted
  bool in_shared;    // shared memory holds the sums until they are done
};

// With n = x / rms and g = w d_y: d_x = (g - n mean(g n)) / rms, d_w = d_y n.
template <int kThreads, int kVec, typename T, typename W>
__global__ void __launch_bounds__(kCta, kThreads == kCta ? 3 : 2)
    rms_norm_backward_rows(const __grid_constant__ Backward<T, W> op) {
  extern __shared__ __align__(16) float kept[];
  __shared__ float2 shared[kCta / 32];
  const Group<kThreads, kVec> group;
  constexpr int kHeld = group.kHeld;
  if (group.first >= op.groups) return;
  float* const sums = op.in_shared ? kept + threadIdx.x / kThreads * op.width : op.d_weights + group.first * op.width;
  const bool sum_weights = op.d_weights != nullptr;
  const float zeros[kHeld][kVec] = {};
  for (int64_t begin = 0; sum_weights && begin < op.width; begin += group.kChunk)
    group.store(sums, begin, op.width, zeros);  // each thread its own columns
  float x[kHeld][kVec], g[kHeld][kVec];         // g is d_y
  const auto read = [&](int64_t row, int64_t begin) {
    group.load(op.x.at(row), begin, op.width, x);
    group.load(op.d_y.at(row), begin, op.width, g);
  };
  for (int64_t row = group.first; row < op.rows; row += op.groups) {
    float2 found = {0, 0};  // x², g x
    for (int64_t begin = 0; begin < op.width; begin += group.kChunk) {
      read(row, begin);
#pragma unroll
      for (int h = 0; h < kHeld; ++h) {
        if (group.column(begin, h) >= op.width) continue;
        float w[kVec];
        load(op.weight + group.column(begin, h), w);
#pragma unroll
        for (int i = 0; i < kVec; ++i) found.x += x[h][i] * x[h][i], found.y += g[h][i] * w[i] * x[h][i];
      }
    }
    found = group.sums(found, shared);
    const float inverse = inverse_rms(found.x, op.width, op.eps);
    const float mean = found.y * inverse * inverse / static_cast<float>(op.width);
    for (int64_t begin = 0; begin < op.width; begin += group.kChunk) {
      if (op.width > group.kChunk) read(row, begin);
      float before[kHeld][kVec] = {};
      if (op.added.data) group.load(op.added.at(row), begin, op.width, before);
#pragma unroll
      for (int h = 0; h < kHeld; ++h) {
        const int64_t column = group.column(begin, h);
        if (column >= op.width) continue;
        float w[kVec], sum[kVec];
        load(op.weight + column, w);
        if (sum_weights) {
          load(sums + column, sum);
#pragma unroll
          for (int i = 0; i < kVec; ++i) sum[i] += g[h][i] * x[h][i] * inverse;
          store(sums + column, sum);
        }
#pragma unroll
        for (int i = 0; i < kVec; ++i) before[h][i] += (g[h][i] * w[i] - x[h][i] * mean) * inverse;
      }
      group.store(op.d_x.at(row), begin, op.width, before);
    }
  }
  for (int64_t begin = 0; sum_weights && op.in_shared && begin < op.width; begin += group.kChunk) {
    group.load(sums, begin, op.width, x);
    group.store(op.d_weights + group.first * op.width, begin, op.width, x);
  }
}

// call(threads of a row, elements read at once, T, W)
template <typename Call>
void with_kernel(const ConstTensor& x, const ConstTensor& weight, bool vectors, const Call& call) {
  const auto with_threads = [&](auto threads) {
    with_float_type(x.dtype, [&]<typename T>(T) {
      with_float_type(weight.dtype, [&]<typename W>(W) {
        if (vectors)
          call(threads, std::integral_constant<int, kVector<T>>(), T(), W());
        else
          call(threads, std::integral_constant<int, 1>(), T(), W());
      });
    });
  };
  if (x.dim(1) <= kHead) return with_threads(std::integral_constant<int, 16>());
  if (x.dim(1) <= kNarrow) return with_threads(std::integral_constant<int, 32>());
  with_threads(std::integral_constant<int, kCta>());
}

template <typename... Tensors>
bool vectors_of(const ConstTensor& x, const ConstTensor& weight, const Tensors&... tensors) {
  const bool aligned = reinterpret_cast<uintptr_t>(weight.data) % 16 == 0;
  if (x.dtype == DType::bf16) return aligned && vectors_fit<__nv_bfloat16>(x.dim(1), x, tensors...);
  return aligned && vectors_fit<float>(x.dim(1), x, tensors...);
}

}  // namespace

void rms_norm(Exec& exec, const RmsNorm& op) {
  with_kernel(op.x, op.weight, vectors_of(op.x, op.weight, op.y),
              [&]<typename T, typename W>(auto threads, auto vec, T, W) {
                const int64_t rows = op.x.dim(0), width = op.x.dim(1);
                const auto elements = static_cast<double>(op.x.elements());
                launch("rms_norm", rms_norm_rows<threads(), vec(), T, W>,
                       {.grid = grid_of(ceil_div(rows, kCta / threads())), .block = dim3(kCta)},
                       {.bytes = 2 * sizeof(T) * elements, .flops = 4 * elements}, exec.stream,
                       {.rows = rows,
                        .width = width,
                        .eps = op.eps,
                        .x = rows_of<const T>(op.x),
                        .weight = static_cast<const W*>(op.weight.data),
                        .y = rows_of<T>(op.y)});
              });
}

void rms_norm_backward(Exec& exec, const RmsNormBackward& op) {
  const int64_t rows = op.x.dim(0), width = op.x.dim(1);
  if (rows == 0 || width == 0) return;
  const ConstTensor added = op.added.defined() ? op.added : op.d_y;  // of the same layout at least
  const bool vectors = vectors_of(op.x, op.weight, op.d_y, added, op.d_x);
  with_kernel(op.x, op.weight, vectors, [&]<typename T, typename W>(auto threads, auto vec, T, W) {
    // At most as many as an H200 holds at once; a number that depends on nothing but the rows.
    constexpr int64_t kMostCtas = 384, kGroupsOfCta = kCta / threads();
    constexpr int64_t kMostShared = 64 << 10;
    const bool wanted = op.d_weight.defined();
    const int64_t groups = wanted ? std::min(rows, kMostCtas * kGroupsOfCta) : rows;
    const int64_t shared = kGroupsOfCta * width * static_cast<int64_t>(sizeof(float));
    const bool in_shared = wanted && shared <= kMostShared;
    const ScratchScope scope(exec.scratch);
    float* sums = nullptr;
    if (wanted) sums = exec.scratch.take(DType::f32, {groups, width}).as<float>(Device::cuda);
    const auto elements = static_cast<double>(op.x.elements());
    launch(
        threads() == kCta ? "rms_norm_backward" : "rms_norm_backward, narrow",
        rms_norm_backward_rows<threads(), vec(), T, W>,
        {.grid = grid_of(ceil_div(groups, kGroupsOfCta)), .block = dim3(kCta), .shared_bytes = in_shared ? shared : 0},
        {.bytes = (op.added.defined() ? 4 : 3) * sizeof(T) * elements, .flops = 12 * elements}, exec.stream,
        {.rows = rows,
         .width = width,
         .groups = groups,
         .eps = op.eps,
         .x = rows_of<const T>(op.x),
         .d_y = rows_of<const T>(op.d_y),
         .added = op.added.defined() ? rows_of<const T>(op.added) : Rows<const T>{},
         .weight = static_cast<const W*>(op.weight.data),
         .d_x = rows_of<T>(op.d_x),
         .d_weights = sums,
         .in_shared = in_shared});
    if (!wanted) return;
    add_columns("rms_norm_backward sums", exec, Rows<const float>{sums, width}, groups, width,
                op.d_weight.as<float>(Device::cuda));
  });
}

}  // namespace eyrie::cuda
