#include "ops/soft_cross_entropy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "ops/door.h"
#include "ops/linear.h"
#include "ops/parallel.h"
#include "ops/soft_cross_entropy_rows.h"

namespace eyrie {
namespace cpu {
namespace {

constexpr int64_t kMaxPositions = 128, kMinPositions = 8;  // of one chunk
constexpr int64_t kChunkBytes = int64_t{64} << 20;         // of a chunk's logits over the draft vocabulary
constexpr int64_t kOperationsAnElement = 16;               // of its exponentials
constexpr int64_t kPanel = 2048;                           // columns of V at a time

struct Sizes {
  int64_t depths, rows, hidden, tokens, target_hidden, vocabulary, draft_vocabulary;
  explicit Sizes(const SoftCrossEntropy& p)
      : depths(p.normed.dim(0)),
        rows(p.normed.dim(1)),
        hidden(p.normed.dim(2)),
        tokens(p.hidden.dim(0)),
        target_hidden(p.hidden.dim(1)),
        vocabulary(p.target_lm_head.dim(0)),
        draft_vocabulary(p.lm_head.dim(0)) {}
  int64_t positions_per_chunk() const {
    const int64_t bytes = (depths + 1) * draft_vocabulary * size_bytes(DType::f32);
    return std::clamp(kChunkBytes / bytes, kMinPositions, kMaxPositions);
  }
};

void check_target_ids(const ConstTensor& target_ids, int64_t vocabulary) {
  if (!target_ids.defined()) return;
  const int32_t* ids = target_ids.as<int32_t>();
  for (int64_t i = 0, last = -1; i < target_ids.dim(0); last = ids[i++])
    if (ids[i] <= last || ids[i] >= vocabulary)
      throw Error(ErrorKind::input, fmt::format("target_ids[{}]", i),
                  fmt::format("expected an id from {} to {}, found {}", last + 1, vocabulary - 1, ids[i]));
}

// The positions that any row of any depth asks for, ascending: their count; the list in `positions`.
int64_t list_positions(const SoftCrossEntropy& problem, const Sizes& sizes, Scratch& scratch, int32_t* positions) {
  const Tensor used = scratch.take(DType::u8, {sizes.tokens});
  fill_zero(used);
  const int32_t* position = problem.position.as<int32_t>();
  for (int64_t i = 0; i < sizes.depths * sizes.rows; ++i) {
    if (position[i] >= sizes.tokens)
      throw Error(ErrorKind::input, fmt::format("position[{}, {}]", i / sizes.rows, i % sizes.rows),
                  fmt::format("expected less than {}, found {}", sizes.tokens, position[i]));
    if (position[i] >= 0) used.as<uint8_t>()[position[i]] = 1;
  }
  int64_t count = 0;
  for (int64_t j = 0; j < sizes.tokens; ++j)
    if (used.as<uint8_t>()[j]) positions[count++] = static_cast<int32_t>(j);
  return count;
}

// The teacher at one chunk of positions.
struct Teacher {
  Tensor hidden;       // [P, Ht] gathered
  Tensor panel;        // [P, kPanel] logits of some columns of V
  Tensor probability;  // [P, Vd] p; undefined when only the argmax is wanted
  Tensor best, sum;    // [P] max and sum of exp(y - max) over the columns of V seen so far
  Tensor argmax;       // [P] i32
  Tensor kept;         // [P] the share of p' inside the draft vocabulary: p' = kept p there
};

Teacher take_teacher(Scratch& scratch, const Sizes& sizes, bool probabilities) {
  const int64_t positions = sizes.positions_per_chunk();
  Teacher made;
  made.hidden = scratch.take(DType::f32, {positions, sizes.target_hidden});
  made.panel = scratch.take(DType::f32, {positions, std::min(kPanel, sizes.vocabulary)});
  if (probabilities) made.probability = scratch.take(DType::f32, {positions, sizes.draft_vocabulary});
  for (Tensor* one : {&made.best, &made.sum, &made.kept}) *one = scratch.take(DType::f32, {positions});
  made.argmax = scratch.take(DType::i32, {positions});
  return made;
}

void gather_hidden(const SoftCrossEntropy& problem, const int32_t* positions, int64_t count, const Teacher& teacher) {
  const auto from = problem.hidden.view<float, 2>();
  const auto to = teacher.hidden.view<float, 2>();
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(to.row(i), from.row(positions[i]), static_cast<size_t>(to.dims[1]) * sizeof(float));
}

// Columns [first, first + width) of V join one position's running maximum and sum.
void join_panel(const float* logits, int64_t first, int64_t width, float& best, float& sum, int32_t& argmax) {
  const RowMax top = row_max(logits, width);
  if (first == 0 || top.value > best) {
    sum = first == 0 ? 0.0f : sum * std::exp(best - top.value);
    best = top.value;
    argmax = static_cast<int32_t>(first + top.index);
  }
  sum += sum_exp(logits, width, best);
}

// Draft ids whose target ids lie in [first, first + width).
struct DraftColumns {
  const int32_t* ids;  // null: the same ids
  int64_t begin, end;
  DraftColumns(const SoftCrossEntropy& problem, int64_t first, int64_t width) : ids(nullptr), begin(first), end(first) {
    end += width;
    if (!problem.target_ids.defined()) return;
    ids = problem.target_ids.as<int32_t>();
    const int32_t* last = ids + problem.target_ids.dim(0);
    begin = std::lower_bound(ids, last, first) - ids;
    end = std::lower_bound(ids, last, first + width) - ids;
  }
  void copy(const float* logits, int64_t first, float* row) const {
    if (!ids) std::memcpy(row + begin, logits, static_cast<size_t>(end - begin) * sizeof(float));
    for (int64_t j = begin; ids && j < end; ++j) row[j] = logits[ids[j] - first];
  }
};

// Softmax over the draft columns, and the share of the teacher's mass that they hold.
float normalise(float* row, int64_t n, float best, float sum) {
  const float top = row_max(row, n).value, part = exp_in_place(row, n, top);
  scale_in_place(row, n, 1 / part);
  return part * std::exp(top - best) / sum;
}

void read_teacher(Exec& exec, const SoftCrossEntropy& problem, int64_t count, const Teacher& teacher) {
  const int64_t vocabulary = problem.target_lm_head.dim(0);
  float *best = teacher.best.as<float>(), *sum = teacher.sum.as<float>(), *kept = teacher.kept.as<float>();
  int32_t* argmax = teacher.argmax.as<int32_t>();
  const bool probabilities = teacher.probability.defined();
  for (int64_t first = 0; first < vocabulary; first += kPanel) {
    const int64_t width = std::min(kPanel, vocabulary - first);
    const Tensor panel(teacher.panel.data, DType::f32, {count, width});
    linear(exec, {.x = teacher.hidden.slice(0, count),
                  .weight = problem.target_lm_head.slice(first, first + width),
                  .y = panel});
    const DraftColumns columns(problem, first, width);
    for_each_item(exec, count, kOperationsAnElement * panel.elements(), [&](int64_t, int64_t i) {
      const float* logits = panel.as<float>() + i * width;
      join_panel(logits, first, width, best[i], sum[i], argmax[i]);
      if (probabilities) columns.copy(logits, first, teacher.probability.view<float, 2>().row(i));
    });
  }
  if (!probabilities) return;
  const auto probability = teacher.probability.view<float, 2>();
  for_each_item(exec, count, kOperationsAnElement * count * probability.dims[1], [&](int64_t, int64_t i) {
    kept[i] = normalise(probability.row(i), probability.dims[1], best[i], sum[i]);
  });
}

// The rows of all depths that one chunk of positions teaches. Those that learn come first, so that the backward
// products see them alone.
struct Rows {
  Tensor depth, row, slot;  // [P * K] i32; slot: the position's place in the chunk
  Tensor cursor;            // [K] i64, the next row of each depth
  Tensor normed, d_normed;  // [P * K, H]
  Tensor logits;            // [P * K, Vd], then their gradient
  int64_t learning = 0, count = 0;
};

Rows take_rows(Scratch& scratch, const Sizes& sizes, bool gradient) {
  const int64_t most = sizes.positions_per_chunk() * sizes.depths;
  Rows made;
  for (Tensor* one : {&made.depth, &made.row, &made.slot}) *one = scratch.take(DType::i32, {most});
  made.cursor = scratch.take(DType::i64, {sizes.depths});
  made.normed = scratch.take(DType::f32, {most, sizes.hidden});
  if (gradient) made.d_normed = scratch.take(DType::f32, {most, sizes.hidden});
  made.logits = scratch.take(DType::f32, {most, sizes.draft_vocabulary});
  fill_zero(made.cursor);
  return made;
}

class LossPass {
 public:
  LossPass(Exec& exec, const SoftCrossEntropy& problem)
      : exec_(exec),
        problem_(problem),
        sizes_(problem),
        teacher_(take_teacher(exec.scratch, sizes_, true)),
        rows_(take_rows(exec.scratch, sizes_, problem.d_normed.defined())) {}

  void run(const int32_t* positions, int64_t count) {
    for (int64_t begin = 0; begin < count; begin += sizes_.positions_per_chunk()) {
      const int64_t chunk = std::min(sizes_.positions_per_chunk(), count - begin);
      gather_hidden(problem_, positions + begin, chunk, teacher_);
      read_teacher(exec_, problem_, chunk, teacher_);
      collect_rows(positions + begin, chunk);
      linear(exec_, {.x = rows_.normed.slice(0, rows_.count),
                     .weight = problem_.lm_head,
                     .y = rows_.logits.slice(0, rows_.count)});
      compare_rows();
      if (problem_.d_normed.defined()) back_propagate();
    }
  }

 private:
  bool in_vocabulary(int64_t slot) const {
    if (!problem_.target_ids.defined()) return true;
    const int32_t* ids = problem_.target_ids.as<int32_t>();
    return std::binary_search(ids, ids + sizes_.draft_vocabulary, teacher_.argmax.as<int32_t>()[slot]);
  }

  void collect_rows(const int32_t* positions, int64_t count) {
    rows_.count = 0;
    for (int64_t depth = 0; depth < sizes_.depths; ++depth) collect_depth(depth, positions, count);
    const int64_t all = rows_.count;
    int64_t head = 0, tail = all;
    while (head < tail) {
      if (in_vocabulary(rows_.slot.as<int32_t>()[head]))
        ++head;
      else
        swap_rows(head, --tail);
    }
    rows_.learning = head;
    gather_normed();
  }

  void collect_depth(int64_t depth, const int32_t* positions, int64_t count) {
    const int32_t* wanted = problem_.position.as<int32_t>() + depth * sizes_.rows;
    int64_t& row = rows_.cursor.as<int64_t>()[depth];
    for (int64_t slot = 0; row < sizes_.rows && wanted[row] <= positions[count - 1]; ++row) {
      if (wanted[row] < 0) continue;
      while (positions[slot] < wanted[row]) ++slot;
      rows_.depth.as<int32_t>()[rows_.count] = static_cast<int32_t>(depth);
      rows_.row.as<int32_t>()[rows_.count] = static_cast<int32_t>(row);
      rows_.slot.as<int32_t>()[rows_.count++] = static_cast<int32_t>(slot);
    }
  }

  void swap_rows(int64_t a, int64_t b) {
    for (const Tensor* one : {&rows_.depth, &rows_.row, &rows_.slot})
      std::swap(one->as<int32_t>()[a], one->as<int32_t>()[b]);
  }

  int64_t place(int64_t i) const {  // of row i of the chunk in the [K, R] tensors
    return rows_.depth.as<int32_t>()[i] * sizes_.rows + rows_.row.as<int32_t>()[i];
  }

  void gather_normed() {
    const float* from = problem_.normed.as<float>();
    const auto to = rows_.normed.view<float, 2>();
    for (int64_t i = 0; i < rows_.count; ++i)
      std::memcpy(to.row(i), from + place(i) * sizes_.hidden, static_cast<size_t>(sizes_.hidden) * sizeof(float));
  }

  void compare_rows() {
    for_each_item(exec_, rows_.count, kOperationsAnElement * rows_.count * sizes_.draft_vocabulary,
                  [&](int64_t, int64_t i) { compare_row(i, rows_.logits.view<float, 2>().row(i)); });
  }

  void compare_row(int64_t i, float* z) {
    const int64_t slot = rows_.slot.as<int32_t>()[i], n = sizes_.draft_vocabulary;
    const float* p = teacher_.probability.view<float, 2>().row(slot);
    const RowMax top = row_max(z, n);
    const int64_t choice = problem_.target_ids.defined() ? problem_.target_ids.as<int32_t>()[top.index] : top.index;
    const bool learns = i < rows_.learning, right = choice == teacher_.argmax.as<int32_t>()[slot];
    problem_.result.accept.as<float>()[place(i)] = p[top.index] * teacher_.kept.as<float>()[slot];
    problem_.result.outcome.as<uint8_t>()[place(i)] = static_cast<uint8_t>(!learns ? RowOutcome::out_of_vocabulary
                                                                           : right ? RowOutcome::right
                                                                                   : RowOutcome::wrong);
    if (!learns) return;
    const CrossEntropySums sums = cross_entropy_sums(z, p, n, top.value);
    problem_.result.loss.as<float>()[place(i)] = std::log(sums.exp_sum) - sums.expected;
    if (!problem_.d_normed.defined()) return;
    const float scale = problem_.scale[static_cast<size_t>(rows_.depth.as<int32_t>()[i])];
    cross_entropy_gradient(z, p, n, scale / sums.exp_sum, scale);
  }

  void back_propagate() {
    if (rows_.learning == 0) return;
    const Tensor d_logits = rows_.logits.slice(0, rows_.learning), d_normed = rows_.d_normed.slice(0, rows_.learning);
    linear_backward(exec_, {.d_y = d_logits,
                            .x = rows_.normed.slice(0, rows_.learning),
                            .weight = problem_.lm_head,
                            .d_weight = problem_.d_lm_head,
                            .d_x = d_normed});
    for (int64_t i = 0; i < rows_.learning; ++i)
      std::memcpy(problem_.d_normed.as<float>() + place(i) * sizes_.hidden, d_normed.view<float, 2>().row(i),
                  static_cast<size_t>(sizes_.hidden) * sizeof(float));
  }

  Exec& exec_;
  const SoftCrossEntropy& problem_;
  const Sizes sizes_;
  const Teacher teacher_;
  Rows rows_;
};

void soft_cross_entropy(Exec& exec, const SoftCrossEntropy& op) {
  const Sizes sizes(op);
  check_target_ids(op.target_ids, sizes.vocabulary);
  for (const Tensor* one : {&op.result.loss, &op.result.accept, &op.result.outcome}) zero(exec, *one);
  if (op.d_normed.defined()) zero(exec, op.d_normed);
  const ScratchScope scope(exec.scratch);
  const Tensor positions = exec.scratch.take(DType::i32, {sizes.tokens});
  const int64_t count = list_positions(op, sizes, exec.scratch, positions.as<int32_t>());
  LossPass(exec, op).run(positions.as<int32_t>(), count);
}

void teacher_argmax(Exec& exec, const SoftCrossEntropy& op, const Tensor& argmax) {
  const Sizes sizes(op);
  check_target_ids(op.target_ids, sizes.vocabulary);
  std::fill_n(argmax.as<int32_t>(), sizes.tokens, -1);
  const ScratchScope scope(exec.scratch);
  const Tensor list = exec.scratch.take(DType::i32, {sizes.tokens});
  int32_t* positions = list.as<int32_t>();
  const int64_t count = list_positions(op, sizes, exec.scratch, positions);
  const Teacher teacher = take_teacher(exec.scratch, sizes, false);
  for (int64_t begin = 0; begin < count; begin += sizes.positions_per_chunk()) {
    const int64_t chunk = std::min(sizes.positions_per_chunk(), count - begin);
    gather_hidden(op, positions + begin, chunk, teacher);
    read_teacher(exec, op, chunk, teacher);
    for (int64_t i = 0; i < chunk; ++i) argmax.as<int32_t>()[positions[begin + i]] = teacher.argmax.as<int32_t>()[i];
  }
}

}  // namespace
}  // namespace cpu

namespace {

void check_inputs(const Exec& exec, const SoftCrossEntropy& op) {
  expect_floats(exec, "normed", op.normed, {-1, -1, -1});
  expect_floats(exec, "hidden", op.hidden, {-1, -1});
  expect_tensor(exec, "target_lm_head", op.target_lm_head, {DType::f32, DType::bf16, DType::f16},
                {-1, op.hidden.dim(1)});
  const bool some_ids = op.target_ids.defined();
  expect_floats(exec, "lm_head", op.lm_head, {some_ids ? -1 : op.target_lm_head.dim(0), op.normed.dim(2)});
  expect_tensor(exec, "position", op.position, {DType::i32}, {op.normed.dim(0), op.normed.dim(1)});
  if (some_ids) expect_tensor(exec, "target_ids", op.target_ids, {DType::i32}, {op.lm_head.dim(0)});
}

// Of the teacher once for each position that is named, of the draft for each row that is supervised; backward doubles.
double count_flops(const SoftCrossEntropy& op) {
  std::vector<uint8_t> named(static_cast<size_t>(op.hidden.dim(0)), 0);
  int64_t rows = 0, teachers = 0;
  const int32_t* position = op.position.as<int32_t>();
  for (int64_t i = 0; i < op.position.elements(); ++i) {
    if (position[i] < 0) continue;
    ++rows, teachers += !std::exchange(named[static_cast<size_t>(position[i])], uint8_t{1});
  }
  const double draft = product_flops(rows, op.normed.dim(2), op.lm_head.dim(0));
  return product_flops(teachers, op.hidden.dim(1), op.target_lm_head.dim(0)) + (op.d_normed.defined() ? 3 : 1) * draft;
}

}  // namespace

void soft_cross_entropy(Exec& exec, const SoftCrossEntropy& op) {
  check_inputs(exec, op);
  for (const Tensor* one : {&op.result.loss, &op.result.accept}) expect_floats(exec, "result", *one, op.position.shape);
  expect_tensor(exec, "result", op.result.outcome, {DType::u8}, op.position.shape);
  if (op.d_normed.defined()) {
    expect_floats(exec, "d_normed", op.d_normed, op.normed.shape);
    expect_floats(exec, "d_lm_head", op.d_lm_head, op.lm_head.shape);
    if (std::ssize(op.scale) != op.normed.dim(0))
      throw Error(ErrorKind::input, "scale", fmt::format("expected {}, found {}", op.normed.dim(0), op.scale.size()));
  }
  if (begin_op(exec, "soft_cross_entropy", exec.planning ? count_flops(op) : 0)) cpu::soft_cross_entropy(exec, op);
}

void teacher_argmax(Exec& exec, const SoftCrossEntropy& op, Tensor argmax) {
  check_inputs(exec, op);
  expect_tensor(exec, "argmax", argmax, {DType::i32}, {op.hidden.dim(0)});
  if (begin_op(exec, "teacher_argmax")) cpu::teacher_argmax(exec, op, argmax);
}

}  // namespace eyrie
