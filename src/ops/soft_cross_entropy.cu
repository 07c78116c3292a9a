// ops/soft_cross_entropy.cu: the loss on a GPU: chunks of rows with all their depths, whose logits fit chunk_bytes.
//
// One product makes the teacher's logits y [positions, V], one kernel leaves p in their front; one product makes the
// draft's logits z [rows K, Vd], one kernel compares them with p and leaves d_z in their place; two products follow.
// A position that two chunks need is computed in the first: its p moves over. A CTA takes a row: its second pass over
// it mostly meets the cache. Nothing is summed in an order that depends on time.
//
// Of a chunk with V = 128,256, Vd = 32,000, H = Ht = 4,096, K = 7 and bf16: 990 rows, 996 positions, 6,930 rows of z
// (1.30 GiB). The teacher's kernel moves 4 V + 4 Vd bytes a position (0.64 GB), the draft's 4 Vd + 2 Vd a row and 4 Vd
// a position (1.46 GB): 0.15 + 0.35 ms at 4.2 TB/s. The products are 1.05 + 3 x 1.82 TFLOP: 9.3 ms at 700 TFLOP/s.
#include <algorithm>

#include "ops/gpu.cuh"
#include "ops/linear.h"
#include "ops/soft_cross_entropy.h"

namespace eyrie::cuda {
namespace {

constexpr int kThreads = 512, kWarps = kThreads / 32;
constexpr int kFours = 2, kTile = kThreads * kFours * 4;  // columns of a row that a CTA has in registers at a time
constexpr float kNothing = -3.0e38f;                      // exp(kNothing - shift) is 0

// Of a tile from column `first` on, a thread has kFours times four columns that touch.
__device__ __forceinline__ int column(int first, int four) {
  return first + (four * kThreads + static_cast<int>(threadIdx.x)) * 4;
}
// Rows start at multiples of 16 bytes and have room for the last four columns; those behind `count` read as `nothing`.
__device__ __forceinline__ void load_tile(const float* row, int first, int count, float nothing,
                                          float (&to)[kFours][4]) {
#pragma unroll
  for (int four = 0; four < kFours; ++four) {
    const int c = column(first, four);
    if (c < count) load(row + c, to[four]);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (c + i >= count) to[four][i] = nothing;
  }
}
template <typename T>
__device__ __forceinline__ void store_tile(T* row, int first, int count, const float (&from)[kFours][4]) {
#pragma unroll
  for (int four = 0; four < kFours; ++four)
    if (column(first, four) < count) store(row + column(first, four), from[four]);
}

// Of some columns: the largest, the lowest column that has it, and the sum of exp(value - best).
struct Softmax {
  float best;
  int index;
  float sum;
};

// Columns come in ascending order.
template <int kCount>
__device__ __forceinline__ void add(Softmax& to, const float (&values)[kCount], int first) {
  float best = to.best;
#pragma unroll
  for (int i = 0; i < kCount; ++i)
    if (values[i] > best) best = values[i], to.index = first + i;
  to.sum *= __expf(to.best - best);
#pragma unroll
  for (int i = 0; i < kCount; ++i) to.sum += __expf(values[i] - best);
  to.best = best;
}

__device__ __forceinline__ Softmax merge(const Softmax& a, const Softmax& b) {
  const bool second = b.best > a.best || (b.best == a.best && b.index < a.index);
  const float best = fmaxf(a.best, b.best);
  return {best, second ? b.index : a.index, a.sum * __expf(a.best - best) + b.sum * __expf(b.best - best)};
}

// Over the CTA, the same in all threads; barriers as those of block_sum.
__device__ __forceinline__ Softmax block_merge(Softmax one, Softmax* shared) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    one = merge(one, {__shfl_down_sync(0xffffffffu, one.best, step), __shfl_down_sync(0xffffffffu, one.index, step),
                      __shfl_down_sync(0xffffffffu, one.sum, step)});
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = one;
  __syncthreads();
  Softmax all = shared[0];
#pragma unroll
  for (int i = 1; i < kWarps; ++i) all = merge(all, shared[i]);
  return all;
}

// What is kept of a position.
struct Teacher {
  int32_t* draft_id;  // that of a; -1: a is not in the draft vocabulary
  float* kept;        // the share of p' inside the draft vocabulary: p' = kept p there
};

struct TeacherParams {
  float* logits;  // [positions, V], a row each `stride`; p [positions, Vd] in their place
  int64_t stride;
  int vocabulary, draft_vocabulary;
  const int32_t* target_ids;  // null: the same ids
  Teacher teacher;            // of the first position
  int32_t* argmax;            // of the first position; null: p is wanted, else nothing but this
};

// The columns of the draft's vocabulary move to the front, tile by tile: id v of a draft is at most its target id.
__global__ void __launch_bounds__(kThreads) read_teacher(const __grid_constant__ TeacherParams params) {
  __shared__ float tiles[2][kTile];
  __shared__ Softmax sums[kWarps];
  float* row = params.logits + blockIdx.x * params.stride;
  Softmax all = {kNothing, 0, 0}, kept = all;
  int draft = static_cast<int>(threadIdx.x);  // the next draft id of this thread
  const auto target_of = [&](int id) { return id < params.draft_vocabulary ? params.target_ids[id] : INT32_MAX; };
  int target = params.target_ids ? target_of(draft) : INT32_MAX;
  for (int first = 0, turn = 0; first < params.vocabulary; first += kTile, turn ^= 1) {
    float y[kFours][4];
    load_tile(row, first, params.vocabulary, kNothing, y);
#pragma unroll
    for (int four = 0; four < kFours; ++four) add(all, y[four], column(first, four));
    if (!params.target_ids) continue;
    store_tile(tiles[turn], 0, kTile, y);
    __syncthreads();  // all have read these columns of the row, and have done with the tile before last
    for (; target < first + kTile; target = target_of(draft += kThreads)) {
      const float value[1] = {tiles[turn][target - first]};
      row[draft] = value[0];
      add(kept, value, draft);
    }
  }
  all = block_merge(all, sums);
  if (params.argmax) {
    if (threadIdx.x == 0) params.argmax[blockIdx.x] = all.index;
    return;
  }
  kept = params.target_ids ? block_merge(kept, sums) : all;  // the columns in front are written, too
  if (threadIdx.x == 0) {
    // Where a is in the vocabulary, no lower target id has its logit.
    const bool inside = !params.target_ids || params.target_ids[kept.index] == all.index;
    params.teacher.draft_id[blockIdx.x] = inside ? kept.index : -1;
    params.teacher.kept[blockIdx.x] = kept.sum * __expf(kept.best - all.best) / all.sum;
  }
  const float factor = 1 / kept.sum;
  for (int first = 0; first < params.draft_vocabulary; first += kTile) {
    float p[kFours][4];
    load_tile(row, first, params.draft_vocabulary, kNothing, p);
#pragma unroll
    for (int four = 0; four < kFours; ++four)
#pragma unroll
      for (int i = 0; i < 4; ++i) p[four][i] = __expf(p[four][i] - kept.best) * factor;
    store_tile(row, first, params.draft_vocabulary, p);
  }
}

struct DraftParams {
  float* logits;  // [rows K, Vd], a row each `stride`; d_z in their place
  int64_t stride;
  int draft_vocabulary, depths;
  const float* probability;  // [positions, Vd] from first_position on, a row each probability_stride
  int64_t probability_stride, first_position;
  const int32_t* position;  // [rows K]
  Teacher teacher;          // of position 0
  float *loss, *accept;     // [rows K]
  uint8_t* outcome;
  bool gradient;
  float scale[kMostLossDepths];
};

template <typename T>
__device__ __forceinline__ void store_zeros(T* row, int count) {
  const float zeros[kFours][4] = {};
  for (int first = 0; first < count; first += kTile) store_tile(row, first, count, zeros);
}

// T: the dtype of d_z.
template <typename T>
__global__ void __launch_bounds__(kThreads) compare_rows(const __grid_constant__ DraftParams params) {
  __shared__ Softmax sums[kWarps];
  __shared__ float expected_sums[32];
  const int64_t position = params.position[blockIdx.x];
  const int count = params.draft_vocabulary;
  float* row = params.logits + blockIdx.x * params.stride;
  T* d_row = reinterpret_cast<T*>(row);
  const auto report = [&](float loss, float accept, RowOutcome outcome) {
    if (threadIdx.x != 0) return;
    params.loss[blockIdx.x] = loss, params.accept[blockIdx.x] = accept;
    params.outcome[blockIdx.x] = static_cast<uint8_t>(outcome);
  };
  if (position < 0) {
    report(0, 0, RowOutcome::unsupervised);
    if (params.gradient) store_zeros(d_row, count);
    return;
  }
  const float* p_row = params.probability + (position - params.first_position) * params.probability_stride;
  Softmax all = {kNothing, 0, 0};
  float expected = 0, z[kFours][4], p[kFours][4];
  for (int first = 0; first < count; first += kTile) {
    load_tile(row, first, count, kNothing, z);
    load_tile(p_row, first, count, 0, p);
#pragma unroll
    for (int four = 0; four < kFours; ++four) {
      add(all, z[four], column(first, four));
#pragma unroll
      for (int i = 0; i < 4; ++i) expected += p[four][i] * z[four][i];
    }
  }
  all = block_merge(all, sums);
  expected = block_sum<kThreads>(expected, expected_sums);
  const int wanted = params.teacher.draft_id[position];
  const float accept = p_row[all.index] * params.teacher.kept[position];
  if (wanted < 0) {
    report(0, accept, RowOutcome::out_of_vocabulary);
    if (params.gradient) store_zeros(d_row, count);
    return;
  }
  report(all.best + logf(all.sum) - expected, accept, all.index == wanted ? RowOutcome::right : RowOutcome::wrong);
  if (!params.gradient) return;
  const float scale = params.scale[blockIdx.x % params.depths], factor = scale / all.sum;
  for (int first = 0; first < count; first += kTile) {
    load_tile(row, first, count, kNothing, z);
    load_tile(p_row, first, count, 0, p);
#pragma unroll
    for (int four = 0; four < kFours; ++four)
#pragma unroll
      for (int i = 0; i < 4; ++i) z[four][i] = factor * __expf(z[four][i] - all.best) - scale * p[four][i];
    __syncthreads();  // what is written lies over columns of this tile and of those before
    store_tile(d_row, first, count, z);
  }
}

// [rows, columns] of which each row starts at a multiple of 16 bytes and has room for whole fours.
Tensor take_logits(Exec& exec, int64_t rows, int64_t columns) {
  Tensor made = exec.scratch.take(DType::f32, {rows, (columns + 3) / 4 * 4});
  made.shape.dims[1] = columns;
  return made;
}

// Some rows with all their depths, and the range of the positions that they name.
struct Chunk {
  int64_t row = 0, end_row = 0, position = 0, end_position = 0;
};

Chunk chunk_at(const SoftCrossEntropy& op, int64_t row, int64_t rows) {
  const auto depths = op.normed.dim(1);
  Chunk made{.row = row, .end_row = std::min(row + rows, op.normed.dim(0))};
  for (int64_t i = row * depths; i < made.end_row * depths; ++i) {
    const int64_t position = op.position_here[static_cast<size_t>(i)];
    if (position < 0) continue;
    if (made.end_position == 0) made.position = position;
    made.position = std::min(made.position, position);
    made.end_position = std::max(made.end_position, position + 1);
  }
  return made;
}

class LossPass {
 public:
  LossPass(Exec& exec, const SoftCrossEntropy& op) : exec_(exec), op_(op) {
    const int64_t rows = op.normed.dim(0), depths = op.normed.dim(1), positions = op.hidden.dim(0);
    const int64_t vocabulary = op.target_lm_head.dim(0), draft_vocabulary = op.lm_head.dim(0);
    const int64_t row_bytes = size_bytes(DType::f32) * (vocabulary + depths * draft_vocabulary);
    const int64_t most = std::max<int64_t>(op.chunk_bytes / row_bytes, 1), chunks = (rows + most - 1) / most;
    rows_ = (rows + chunks - 1) / std::max<int64_t>(chunks, 1);
    int64_t most_positions = 0;
    for (int64_t row = 0; row < rows; row += rows_) {
      const Chunk chunk = chunk_at(op, row, rows_);
      most_positions = std::max(most_positions, chunk.end_position - chunk.position);
    }
    teacher_logits_ = take_logits(exec, most_positions, vocabulary);
    draft_logits_ = take_logits(exec, rows_ * depths, draft_vocabulary);
    draft_id_ = exec.scratch.take(DType::i32, {positions});
    kept_ = exec.scratch.take(DType::f32, {positions});
  }

  void run() {
    for (int64_t row = 0; row < op_.normed.dim(0); row += rows_) {
      const Chunk chunk = chunk_at(op_, row, rows_);
      read_positions(chunk);
      compare(chunk);
      if (op_.d_normed.defined()) back_propagate(chunk);
      before_ = chunk;
    }
  }

 private:
  Teacher teacher_of(int64_t position) const {
    return {draft_id_.as<int32_t>(Device::cuda) + position, kept_.as<float>(Device::cuda) + position};
  }

  void read_positions(const Chunk& chunk) {
    // Those of the chunk before have their p: it moves to where this chunk has it, the first of them first.
    int64_t next = chunk.position;
    Tensor probability = teacher_logits_;
    probability.shape.dims[1] = draft_logits_.dim(1);
    for (; chunk.position >= before_.position && next < std::min(before_.end_position, chunk.end_position); ++next)
      if (chunk.position > before_.position)
        copy(exec_, probability[next - before_.position], probability[next - chunk.position]);
    if (next >= chunk.end_position) return;
    const Tensor logits = teacher_logits_.slice(next - chunk.position, chunk.end_position - chunk.position);
    eyrie::linear(exec_, {.x = op_.hidden.slice(next, chunk.end_position), .weight = op_.target_lm_head, .y = logits});
    read_teacher_rows(logits, next);
  }

  void read_teacher_rows(const Tensor& logits, int64_t position) {
    const TeacherParams params = {
        .logits = static_cast<float*>(logits.data),
        .stride = logits.strides[0],
        .vocabulary = static_cast<int>(logits.dim(1)),
        .draft_vocabulary = static_cast<int>(draft_logits_.dim(1)),
        .target_ids = op_.target_ids.defined() ? op_.target_ids.as<int32_t>(Device::cuda) : nullptr,
        .teacher = teacher_of(position),
        .argmax = nullptr};
    const auto bytes = static_cast<double>(4 * logits.dim(0) * (params.vocabulary + params.draft_vocabulary));
    launch("loss teacher", read_teacher, {.grid = dim3(static_cast<unsigned>(logits.dim(0))), .block = dim3(kThreads)},
           {.bytes = bytes}, exec_.stream, params);
  }

  template <typename Rows>
  Rows matrix(const Rows& all, const Chunk& chunk) const {
    return all.slice(chunk.row, chunk.end_row).reshape({(chunk.end_row - chunk.row) * all.dim(1), all.dim(2)});
  }
  Tensor logits_of(const Chunk& chunk) const {
    return draft_logits_.slice(0, (chunk.end_row - chunk.row) * op_.normed.dim(1));
  }

  void compare(const Chunk& chunk) {
    const Tensor logits = logits_of(chunk);
    eyrie::linear(exec_, {.x = matrix(op_.normed, chunk), .weight = op_.lm_head, .y = logits});
    const int64_t first = chunk.row * op_.normed.dim(1), rows = logits.dim(0), width = logits.dim(1);
    DraftParams params = {.logits = static_cast<float*>(logits.data),
                          .stride = logits.strides[0],
                          .draft_vocabulary = static_cast<int>(width),
                          .depths = static_cast<int>(op_.normed.dim(1)),
                          .probability = static_cast<const float*>(teacher_logits_.data),
                          .probability_stride = teacher_logits_.strides[0],
                          .first_position = chunk.position,
                          .position = op_.position.as<int32_t>(Device::cuda) + first,
                          .teacher = teacher_of(0),
                          .loss = op_.result.loss.as<float>(Device::cuda) + first,
                          .accept = op_.result.accept.as<float>(Device::cuda) + first,
                          .outcome = op_.result.outcome.as<uint8_t>(Device::cuda) + first,
                          .gradient = op_.d_normed.defined(),
                          .scale = {}};
    if (params.gradient) std::copy(op_.scale.begin(), op_.scale.end(), params.scale);
    const int64_t gradient_bytes = params.gradient ? size_bytes(op_.normed.dtype) : 0;
    const int64_t bytes = rows * width * (4 + gradient_bytes) + (chunk.end_position - chunk.position) * width * 4;
    with_float_type(op_.normed.dtype, [&](auto type) {
      launch("loss draft", compare_rows<decltype(type)>,
             {.grid = dim3(static_cast<unsigned>(rows)), .block = dim3(kThreads)},
             {.bytes = static_cast<double>(bytes)}, exec_.stream, params);
    });
  }

  void back_propagate(const Chunk& chunk) {
    const Tensor logits = logits_of(chunk);
    Tensor d_z(logits.data, op_.normed.dtype, logits.shape, logits.device);
    d_z.strides[0] = logits.strides[0] * size_bytes(logits.dtype) / size_bytes(d_z.dtype);
    // In this order: d_normed may be normed.
    eyrie::linear_backward(exec_, {.d_y = d_z, .x = matrix(op_.normed, chunk), .d_weight = op_.d_lm_head});
    eyrie::linear_backward(exec_, {.d_y = d_z, .weight = op_.lm_head, .d_x = matrix(op_.d_normed, chunk)});
  }

  Exec& exec_;
  const SoftCrossEntropy& op_;
  int64_t rows_;  // of a chunk
  Tensor teacher_logits_, draft_logits_, draft_id_, kept_;
  Chunk before_;
};

}  // namespace

void soft_cross_entropy(Exec& exec, const SoftCrossEntropy& op) {
  const ScratchScope scope(exec.scratch);
  LossPass pass(exec, op);
  if (!exec.planning) pass.run();
}

void teacher_argmax(Exec& exec, const TeacherArgmax& op) {
  const ScratchScope scope(exec.scratch);
  const int64_t positions = op.hidden.dim(0), vocabulary = op.target_lm_head.dim(0);
  const int64_t most = std::max<int64_t>(op.chunk_bytes / (size_bytes(DType::f32) * vocabulary), 1);
  const Tensor logits = take_logits(exec, std::min(most, positions), vocabulary);
  for (int64_t first = 0; first < positions; first += most) {
    const int64_t end = std::min(first + most, positions);
    const Tensor some = logits.slice(0, end - first);
    eyrie::linear(exec, {.x = op.hidden.slice(first, end), .weight = op.target_lm_head, .y = some});
    const TeacherParams params = {.logits = static_cast<float*>(some.data),
                                  .stride = some.strides[0],
                                  .vocabulary = static_cast<int>(vocabulary),
                                  .draft_vocabulary = 0,
                                  .target_ids = nullptr,
                                  .teacher = {},
                                  .argmax = op.argmax.as<int32_t>(Device::cuda) + first};
    launch("loss argmax", read_teacher, {.grid = dim3(static_cast<unsigned>(end - first)), .block = dim3(kThreads)},
           {.bytes = static_cast<double>(some.bytes())}, exec.stream, params);
  }
}

}  // namespace eyrie::cuda
