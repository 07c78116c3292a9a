// All of them move each element once, but scatter_rows, which writes its zeros first.
#include "ops/gpu.cuh"
#include "ops/row_moves.cuh"
#include "ops/rows.h"

namespace eyrie::cuda {
namespace {

template <typename From, typename To>
struct Move {
  static constexpr int kInputs = 1;
  Rows<const From> from;
  Rows<To> to;
  const int32_t *from_row, *to_row;

  template <int kVec>
  __device__ __forceinline__ void load(int64_t row, int64_t column, float (&in)[kInputs][kVec]) const {
    cuda::load(from.at(from_row ? from_row[row] : row, column), in[0]);
  }
  template <int kVec>
  __device__ __forceinline__ void finish(int64_t row, int64_t column, const float (&in)[kInputs][kVec]) const {
    store(to.at(to_row ? to_row[row] : row, column), in[0]);
  }
};

template <typename T>
struct Sum {
  static constexpr int kInputs = 2;
  Rows<const T> from;
  Rows<T> to;

  template <int kVec>
  __device__ __forceinline__ void load(int64_t row, int64_t column, float (&in)[kInputs][kVec]) const {
    cuda::load(from.at(row, column), in[0]);
    cuda::load(to.at(row, column), in[1]);
  }
  template <int kVec>
  __device__ __forceinline__ void finish(int64_t row, int64_t column, const float (&in)[kInputs][kVec]) const {
    float y[kVec];
#pragma unroll
    for (int i = 0; i < kVec; ++i) y[i] = in[1][i] + in[0][i];
    store(to.at(row, column), y);
  }
};

constexpr int64_t kBlock = int64_t{1} << 14;  // elements that a CTA sums
constexpr int kThreads = 256, kLastThreads = 1024;

__device__ __forceinline__ double square_sum(const float (&x)[4]) {
  double sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

// Of the threads of a CTA, in their order; right in thread 0.
template <int kCount>
__device__ __forceinline__ double sum_in_order(double value) {
  __shared__ double shared[kCount / 32];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  for (int i = 0; i < kCount / 32; ++i) sum += shared[i];
  return sum;
}

__global__ void __launch_bounds__(kThreads) sum_squares(const float* x, int64_t elements, double* sums) {
  constexpr int kSteps = 4;  // loads on their way at once
  const int64_t begin = blockIdx.x * kBlock, end = min(begin + kBlock, elements);
  double sum = 0;
  for (int64_t i = begin + threadIdx.x * 4; i < end; i += kSteps * kThreads * 4) {
    float values[kSteps][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int64_t at = i + step * kThreads * 4;
      if (at + 4 <= end)
        load(x + at, values[step]);
      else
        for (int j = 0; j < 4; ++j) values[step][j] = at + j < end ? x[at + j] : 0.0f;
    }
#pragma unroll
    for (int step = 0; step < kSteps; ++step) sum += square_sum(values[step]);
  }
  sum = sum_in_order<kThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kLastThreads) sum_blocks(const double* sums, int64_t blocks, double* to) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < blocks; i += kLastThreads) sum += sums[i];
  sum = sum_in_order<kLastThreads>(sum);
  if (threadIdx.x == 0) *to = sum;
}

}  // namespace

void move_rows(Exec& exec, const RowMoves& op) {
  with_float_type(op.from.dtype, [&]<typename From>(From) {
    with_float_type(op.to.dtype, [&]<typename To>(To) {
      constexpr int kVec = std::max(kVector<From>, kVector<To>);
      const int64_t width = op.from.dim(1);
      const bool vectors = width % kVec == 0 && vectors_fit<From>(width, op.from) && vectors_fit<To>(width, op.to);
      for_each_element<kVec>(op.kernel, exec, op.rows, width, vectors, {.bytes = sizeof(From) + sizeof(To)},
                             Move<From, To>{rows_of<const From>(op.from), rows_of<To>(op.to), op.from_row, op.to_row});
    });
  });
}

void gather_rows(Exec& exec, const GatherRows& op) {
  move_rows(exec, {.kernel = "gather_rows",
                   .rows = op.to.dim(0),
                   .from = op.from,
                   .to = op.to,
                   .from_row = op.index.as<int32_t>(Device::cuda)});
}

void scatter_rows(Exec& exec, const ScatterRows& op) {
  zero(exec, op.to);
  move_rows(exec, {.kernel = "scatter_rows",
                   .rows = op.from.dim(0),
                   .from = op.from,
                   .to = op.to,
                   .to_row = op.index.as<int32_t>(Device::cuda)});
}

void convert(Exec& exec, const Convert& op) {
  move_rows(exec, {.kernel = "convert", .rows = op.from.dim(0), .from = op.from, .to = op.to});
}

void add(Exec& exec, const Add& op) {
  with_float_type(op.to.dtype, [&]<typename T>(T) {
    const bool vectors = vectors_fit<T>(op.to.dim(1), op.from, op.to);
    for_each_element<kVector<T>>("add", exec, op.to.dim(0), op.to.dim(1), vectors,
                                 {.bytes = 3.0 * sizeof(T), .flops = 1},
                                 Sum<T>{rows_of<const T>(op.from), rows_of<T>(op.to)});
  });
}

double sum_of_squares(Exec& exec, const ConstTensor& x) {
  const int64_t elements = x.elements(), blocks = ceil_div(elements, kBlock);
  const auto* values = x.as<float>(Device::cuda);
  if (reinterpret_cast<uintptr_t>(values) % 16 != 0)
    throw Error(ErrorKind::internal, "sum_of_squares", "expected elements aligned to 16 bytes");
  const ScratchScope scope(exec.scratch);
  const auto take = [&](int64_t count) {
    return reinterpret_cast<double*>(exec.scratch.take(DType::i64, {count}).as<int64_t>(Device::cuda));
  };
  double *sums = take(blocks), *sum = take(1);
  const auto amount = static_cast<double>(elements);
  launch("sum_of_squares", sum_squares, {.grid = grid_of(blocks), .block = dim3(kThreads)},
         {.bytes = 4 * amount, .flops = 2 * amount}, exec.stream, values, elements, sums);
  launch("sum_of_squares blocks", sum_blocks, {.grid = dim3(1), .block = dim3(kLastThreads)},
         {.bytes = 8.0 * static_cast<double>(blocks), .flops = static_cast<double>(blocks)}, exec.stream, sums, blocks,
         sum);
  copy_bytes(exec.pinned(), sum, sizeof(double), exec.stream);
  exec.wait();
  return *static_cast<const double*>(exec.pinned());
}

}  // namespace eyrie::cuda
