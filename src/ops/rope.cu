// A CTA takes as many rows as it has threads for their pairs: each computes one sine and cosine in double, rounded as
// RopeTable rounds them; then all of them turn the rows' heads, 2 vectors a thread at a time. Bytes: x once, y once.
#include <string>

#include "ops/gpu.cuh"
#include "ops/rope.h"

namespace eyrie::cuda {
namespace {

constexpr int kThreads = 256, kMostPairs = 128;

template <typename T>
struct Heads {
  T* data;
  int64_t row_stride, head_stride;
  __device__ __forceinline__ T* at(int64_t row, int64_t head) const {
    return data + row * row_stride + head * head_stride;
  }
};

template <typename From, typename To>
struct Params {
  int64_t rows;
  int heads, pairs, cta_rows;
  Heads<const From> x;
  Heads<To> y;
  const int32_t* position;
  double scale, sign;
  double frequencies[kMostPairs];
};

template <int kVec, typename From, typename To>
__global__ void __launch_bounds__(kThreads) turn_rows(const __grid_constant__ Params<From, To> op) {
  __shared__ __align__(16) float cosines[kThreads], sines[kThreads];
  const int64_t first = int64_t{blockIdx.x} * op.cta_rows;
  const int rows = static_cast<int>(min(int64_t{op.cta_rows}, op.rows - first));
  if (threadIdx.x < rows * op.pairs) {
    const int row = threadIdx.x / op.pairs, pair = threadIdx.x % op.pairs;
    double sine, cosine;
    sincos(__dmul_rn(op.position[first + row], op.frequencies[pair]), &sine, &cosine);
    cosines[threadIdx.x] = static_cast<float>(op.scale * cosine);
    sines[threadIdx.x] = static_cast<float>(op.sign * op.scale * sine);
  }
  __syncthreads();
  const int vectors = op.pairs / kVec;
  for (int i = threadIdx.x; i < rows * op.heads * vectors; i += kThreads) {
    const int line = i / vectors, pair = i % vectors * kVec, row = line / op.heads, head = line % op.heads;
    const From* x = op.x.at(first + row, head) + pair;
    To* y = op.y.at(first + row, head) + pair;
    float a[kVec], b[kVec], cosine[kVec], sine[kVec];
    load(x, a);
    load(x + op.pairs, b);
    load(cosines + row * op.pairs + pair, cosine);
    load(sines + row * op.pairs + pair, sine);
#pragma unroll
    for (int j = 0; j < kVec; ++j) {
      const float turned = a[j] * cosine[j] - b[j] * sine[j];
      b[j] = b[j] * cosine[j] + a[j] * sine[j];
      a[j] = turned;
    }
    store(y, a);
    store(y + op.pairs, b);
  }
}

template <typename T, typename Any>
Heads<T> heads_of(const Any& tensor) {
  if (tensor.strides[2] != 1)
    throw Error(ErrorKind::internal, "heads", "the columns of a " + to_string(tensor.shape) + " tensor do not touch");
  return {static_cast<T*>(tensor.data), tensor.strides[0], tensor.strides[1]};
}

template <typename From, typename To>
void turn(Exec& exec, const Rope& op) {
  constexpr int kVec = std::max(kVector<From>, kVector<To>);
  const int64_t pairs = op.table.pairs(), rows = op.x.dim(0);
  Params<From, To> params{.rows = rows,
                          .heads = static_cast<int>(op.x.dim(1)),
                          .pairs = static_cast<int>(pairs),
                          .cta_rows = static_cast<int>(kThreads / pairs),
                          .x = heads_of<const From>(op.x),
                          .y = heads_of<To>(op.y),
                          .position = op.positions.as<int32_t>(Device::cuda),
                          .scale = op.table.scale(),
                          .sign = op.turn == Turn::forward ? 1.0 : -1.0,
                          .frequencies = {}};
  std::ranges::copy(op.table.frequencies(), params.frequencies);
  const auto elements = static_cast<double>(op.x.elements());
  const bool vectors = pairs % kVec == 0 && vectors_fit<From>(pairs, op.x) && vectors_fit<To>(pairs, op.y);
  launch("apply_rope", vectors ? turn_rows<kVec, From, To> : turn_rows<1, From, To>,
         {.grid = grid_of(ceil_div(rows, params.cta_rows)), .block = dim3(kThreads)},
         {.bytes = (sizeof(From) + sizeof(To)) * elements, .flops = 3 * elements}, exec.stream, params);
}

}  // namespace

void apply_rope(Exec& exec, const Rope& op) {
  if (op.table.pairs() > kMostPairs)
    throw Error(ErrorKind::input, "x",
                "expected heads of at most " + std::to_string(2 * kMostPairs) + " on a GPU, found " +
                    std::to_string(2 * op.table.pairs()));
  if (op.x.elements() == 0) return;
  with_float_type(op.x.dtype, [&]<typename From>(From) {
    with_float_type(op.y.dtype, [&]<typename To>(To) { turn<From, To>(exec, op); });
  });
}

}  // namespace eyrie::cuda
