#include "ops/rows.h"

#include <cstring>

#include "ops/door.h"
#include "ops/parallel.h"

namespace eyrie {
namespace cpu {
namespace {

// place(i): where row i is read and where it is written.
template <typename Place>
void copy_rows(Exec& exec, int64_t rows, int64_t width, const Place& place) {
  for_each_range(exec, rows, 1, rows * width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto [from, to] = place(i);
      std::memcpy(to, from, static_cast<size_t>(width) * sizeof(float));
    }
  });
}

void gather_rows(Exec& exec, const GatherRows& op) {
  const auto from = op.from.view<float, 2>();
  const auto to = op.to.view<float, 2>();
  const int32_t* index = op.index.as<int32_t>();
  copy_rows(exec, to.dims[0], to.dims[1], [&](int64_t i) { return std::pair(from.row(index[i]), to.row(i)); });
}

void scatter_rows(Exec& exec, const ScatterRows& op) {
  fill_zero(op.to);
  const auto from = op.from.view<float, 2>();
  const auto to = op.to.view<float, 2>();
  const int32_t* index = op.index.as<int32_t>();
  copy_rows(exec, from.dims[0], from.dims[1], [&](int64_t i) { return std::pair(from.row(i), to.row(index[i])); });
}

void convert(Exec& exec, const Convert& op) {
  const auto from = op.from.view<float, 2>();
  const auto to = op.to.view<float, 2>();
  copy_rows(exec, to.dims[0], to.dims[1], [&](int64_t i) { return std::pair(from.row(i), to.row(i)); });
}

void add(Exec& exec, const Add& op) {
  const auto from = op.from.view<float, 2>();
  const auto to = op.to.view<float, 2>();
  for_each_range(exec, to.dims[0], 1, op.to.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* source = from.row(r);
      float* sum = to.row(r);
      for (int64_t i = 0; i < to.dims[1]; ++i) sum[i] += source[i];
    }
  });
}

double sum_of_squares(Exec& exec, const ConstTensor& x) {
  constexpr int64_t kBlock = int64_t{1} << 14;
  const float* values = x.as<float>();
  const int64_t elements = x.elements(), blocks = (elements + kBlock - 1) / kBlock;
  const ScratchScope scope(exec.scratch);
  auto* sums = reinterpret_cast<double*>(exec.scratch.take(DType::i64, {blocks}).as<int64_t>());
  for_each_range(exec, blocks, 1, elements, [=](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      double sum = 0;
      for (int64_t i = b * kBlock; i < std::min((b + 1) * kBlock, elements); ++i)
        sum += static_cast<double>(values[i]) * values[i];
      sums[b] = sum;
    }
  });
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b) sum += sums[b];
  return sum;
}

}  // namespace
}  // namespace cpu

void gather_rows(Exec& exec, const GatherRows& op) {
  expect_floats(exec, "from", op.from, {-1, -1});
  expect_tensor(exec, "index", op.index, {DType::i32}, {-1});
  expect_like(exec, "to", op.to, op.from, {op.index.dim(0), op.from.dim(1)});
  run_twin<cpu::gather_rows, cuda::gather_rows>(exec, op);
}

void scatter_rows(Exec& exec, const ScatterRows& op) {
  expect_floats(exec, "from", op.from, {-1, -1});
  expect_tensor(exec, "index", op.index, {DType::i32}, {op.from.dim(0)});
  expect_like(exec, "to", op.to, op.from, {-1, op.from.dim(1)});
  run_twin<cpu::scatter_rows, cuda::scatter_rows>(exec, op);
}

void add(Exec& exec, const Add& op) {
  expect_floats(exec, "from", op.from, {-1, -1});
  expect_like(exec, "to", op.to, op.from, op.from.shape);
  run_twin<cpu::add, cuda::add>(exec, op);
}

void convert(Exec& exec, const Convert& op) {
  expect_floats(exec, "from", op.from, {-1, -1});
  expect_floats(exec, "to", op.to, op.from.shape);
  run_twin<cpu::convert, cuda::convert>(exec, op);
}

double sum_of_squares(Exec& exec, const ConstTensor& x) {
  expect_f32(exec, "x", x, x.shape);
  return run_twin<cpu::sum_of_squares, cuda::sum_of_squares>(exec, x);
}

}  // namespace eyrie
