#include "ops/soft_cross_entropy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

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
  int64_t rows, depths, hidden, draft_vocabulary;
  explicit Sizes(const SoftCrossEntropy& p)
      : rows(p.normed.dim(0)), depths(p.normed.dim(1)), hidden(p.normed.dim(2)), draft_vocabulary(p.lm_head.dim(0)) {}
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

// The teacher at one chunk of positions.
struct Teacher {
  Tensor panel;        // [P, kPanel] logits of some columns of V
  Tensor probability;  // [P, Vd] p; undefined when only the argmax is wanted
  Tensor best, sum;    // [P] max and sum of exp(y - max) over the columns of V seen so far
  Tensor argmax;       // [P] i32
  Tensor kept;         // [P] the share of p' inside the draft vocabulary: p' = kept p there
};

Teacher take_teacher(Scratch& scratch, int64_t positions, int64_t vocabulary) {
  Teacher made;
  made.panel = scratch.take(DType::f32, {positions, std::min(kPanel, vocabulary)});
  for (Tensor* one : {&made.best, &made.sum, &made.kept}) *one = scratch.take(DType::f32, {positions});
  made.argmax = scratch.take(DType::i32, {positions});
  return made;
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
  DraftColumns(const ConstTensor& target_ids, int64_t first, int64_t width) : ids(nullptr), begin(first), end(first) {
    end += width;
    if (!target_ids.defined()) return;
    ids = target_ids.as<int32_t>();
    const int32_t* last = ids + target_ids.dim(0);
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

// Of the positions that `hidden` [count, Ht] has. target_ids is read for probabilities only.
void read_teacher(Exec& exec, const ConstTensor& hidden, const ConstTensor& target_lm_head,
                  const ConstTensor& target_ids, const Teacher& teacher) {
  const int64_t count = hidden.dim(0), vocabulary = target_lm_head.dim(0);
  float *best = teacher.best.as<float>(), *sum = teacher.sum.as<float>(), *kept = teacher.kept.as<float>();
  int32_t* argmax = teacher.argmax.as<int32_t>();
  const bool probabilities = teacher.probability.defined();
  for (int64_t first = 0; first < vocabulary; first += kPanel) {
    const int64_t width = std::min(kPanel, vocabulary - first);
    const Tensor panel(teacher.panel.data, DType::f32, {count, width});
    linear(exec, {.x = hidden, .weight = target_lm_head.slice(first, first + width), .y = panel});
    const DraftColumns columns(target_ids, first, width);
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
        teacher_(take_teacher(exec.scratch, sizes_.positions_per_chunk(), problem.target_lm_head.dim(0))),
        rows_(take_rows(exec.scratch, sizes_, problem.d_normed.defined())) {
    teacher_.probability = exec.scratch.take(DType::f32, {sizes_.positions_per_chunk(), sizes_.draft_vocabulary});
  }

  void run() {
    const int64_t count = problem_.hidden.dim(0);
    for (int64_t begin = 0; begin < count; begin += sizes_.positions_per_chunk()) {
      const int64_t end = std::min(begin + sizes_.positions_per_chunk(), count);
      read_teacher(exec_, problem_.hidden.slice(begin, end), problem_.target_lm_head, problem_.target_ids, teacher_);
      collect_rows(begin, end);
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

  void collect_rows(int64_t begin, int64_t end) {
    rows_.count = 0;
    for (int64_t depth = 0; depth < sizes_.depths; ++depth) collect_depth(depth, begin, end);
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

  void collect_depth(int64_t depth, int64_t begin, int64_t end) {
    int64_t& row = rows_.cursor.as<int64_t>()[depth];
    for (; row < sizes_.rows; ++row) {
      const int64_t position = problem_.position_here[static_cast<size_t>(row * sizes_.depths + depth)];
      if (position >= end) break;
      if (position < 0) continue;
      rows_.depth.as<int32_t>()[rows_.count] = static_cast<int32_t>(depth);
      rows_.row.as<int32_t>()[rows_.count] = static_cast<int32_t>(row);
      rows_.slot.as<int32_t>()[rows_.count++] = static_cast<int32_t>(position - begin);
    }
  }

  void swap_rows(int64_t a, int64_t b) {
    for (const Tensor* one : {&rows_.depth, &rows_.row, &rows_.slot})
      std::swap(one->as<int32_t>()[a], one->as<int32_t>()[b]);
  }

  int64_t place(int64_t i) const {  // of row i of the chunk in the [R, K] tensors
    return rows_.row.as<int32_t>()[i] * sizes_.depths + rows_.depth.as<int32_t>()[i];
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
    const Tensor d_normed = rows_.d_normed.slice(0, rows_.learning);
    if (rows_.learning > 0)
      linear_backward(exec_, {.d_y = rows_.logits.slice(0, rows_.learning),
                              .x = rows_.normed.slice(0, rows_.learning),
                              .weight = problem_.lm_head,
                              .d_weight = problem_.d_lm_head,
                              .d_x = d_normed});
    fill_zero(rows_.d_normed.slice(rows_.learning, rows_.count));
    for (int64_t i = 0; i < rows_.count; ++i)
      std::memcpy(problem_.d_normed.as<float>() + place(i) * sizes_.hidden, rows_.d_normed.view<float, 2>().row(i),
                  static_cast<size_t>(sizes_.hidden) * sizeof(float));
  }

  Exec& exec_;
  const SoftCrossEntropy& problem_;
  const Sizes sizes_;
  Teacher teacher_;
  Rows rows_;
};

void soft_cross_entropy(Exec& exec, const SoftCrossEntropy& op) {
  check_target_ids(op.target_ids, op.target_lm_head.dim(0));
  for (const Tensor* one : {&op.result.loss, &op.result.accept, &op.result.outcome}) zero(exec, *one);
  // One by one: where d_normed is normed the other rows are still to be read.
  const Tensor d_normed =
      op.d_normed.defined() ? op.d_normed.reshape({op.position.elements(), op.d_normed.dim(2)}) : Tensor();
  for (int64_t i = 0; d_normed.defined() && i < d_normed.dim(0); ++i)
    if (op.position_here[static_cast<size_t>(i)] < 0) zero(exec, d_normed[i]);
  const ScratchScope scope(exec.scratch);
  LossPass(exec, op).run();
}

void teacher_argmax(Exec& exec, const TeacherArgmax& op) {
  const ScratchScope scope(exec.scratch);
  const Teacher teacher = take_teacher(exec.scratch, kMaxPositions, op.target_lm_head.dim(0));
  for (int64_t begin = 0; begin < op.hidden.dim(0); begin += kMaxPositions) {
    const int64_t end = std::min(begin + kMaxPositions, op.hidden.dim(0));
    read_teacher(exec, op.hidden.slice(begin, end), op.target_lm_head, {}, teacher);
    copy(teacher.argmax.slice(0, end - begin), op.argmax.slice(begin, end));
  }
}

}  // namespace
}  // namespace cpu

namespace {

void check_teacher(const Exec& exec, const ConstTensor& hidden, const ConstTensor& target_lm_head) {
  expect_floats(exec, "hidden", hidden, {-1, -1});
  const Shape weight = {-1, hidden.dim(1)};
  if (exec.device == Device::cuda) return expect_like(exec, "target_lm_head", target_lm_head, hidden, weight);
  expect_tensor(exec, "target_lm_head", target_lm_head, {DType::f32, DType::bf16, DType::f16}, weight);
}

void check_size(std::string_view argument, int64_t expected, size_t found) {
  if (static_cast<size_t>(expected) != found)
    throw Error(ErrorKind::input, std::string(argument), fmt::format("expected {}, found {}", expected, found));
}

void check(const Exec& exec, const SoftCrossEntropy& op) {
  check_teacher(exec, op.hidden, op.target_lm_head);
  expect_like(exec, "normed", op.normed, op.hidden, {-1, -1, -1});
  const int64_t rows = op.normed.dim(0), depths = op.normed.dim(1);
  const bool some_ids = op.target_ids.defined();
  expect_like(exec, "lm_head", op.lm_head, op.normed, {some_ids ? -1 : op.target_lm_head.dim(0), op.normed.dim(2)});
  if (some_ids) expect_tensor(exec, "target_ids", op.target_ids, {DType::i32}, {op.lm_head.dim(0)});
  expect_tensor(exec, "position", op.position, {DType::i32}, {rows, depths});
  check_size("position_here", rows * depths, op.position_here.size());
  for (const Tensor* one : {&op.result.loss, &op.result.accept}) expect_f32(exec, "result", *one, {rows, depths});
  expect_tensor(exec, "result", op.result.outcome, {DType::u8}, {rows, depths});
  if (!op.d_normed.defined()) return;
  expect_like(exec, "d_normed", op.d_normed, op.normed, op.normed.shape);
  expect_f32(exec, "d_lm_head", op.d_lm_head, op.lm_head.shape);
  check_size("scale", depths, op.scale.size());
  if (depths > kMostLossDepths)
    throw Error(ErrorKind::input, "scale", fmt::format("expected at most {}, found {}", kMostLossDepths, depths));
}

int64_t count_supervised(const SoftCrossEntropy& op) {
  const int64_t positions = op.hidden.dim(0), depths = op.position.dim(1);
  int64_t supervised = 0;
  for (size_t i = 0; i < op.position_here.size(); ++i) {
    const int32_t position = op.position_here[i];
    if (position >= positions)
      throw Error(ErrorKind::input, fmt::format("position[{}, {}]", i / depths, i % depths),
                  fmt::format("expected less than {}, found {}", positions, position));
    supervised += position >= 0;
  }
  return supervised;
}

}  // namespace

void soft_cross_entropy(Exec& exec, const SoftCrossEntropy& op) {
  check(exec, op);
  const double teacher = product_flops(op.hidden.dim(0), op.hidden.dim(1), op.target_lm_head.dim(0));
  const double draft = product_flops(count_supervised(op), op.normed.dim(2), op.lm_head.dim(0));
  if (exec.planning) exec.flops += teacher + (op.d_normed.defined() ? 3 : 1) * draft;  // backward doubles
  if constexpr (kHasCuda)  // in a dry run too, which counts the logits: they are a GPU's largest tensor
    if (exec.device == Device::cuda) return cuda::soft_cross_entropy(exec, op);
  if (!exec.planning) cpu::soft_cross_entropy(exec, op);
}

void teacher_argmax(Exec& exec, const TeacherArgmax& op) {
  check_teacher(exec, op.hidden, op.target_lm_head);
  expect_tensor(exec, "argmax", op.argmax, {DType::i32}, {op.hidden.dim(0)});
  run_twin<cpu::teacher_argmax, cuda::teacher_argmax>(exec, op);
}

}  // namespace eyrie
