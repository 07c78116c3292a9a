#include "ops/rope.h"

#include <fmt/core.h>

#include <cmath>
#include <mutex>

#include "ops/door.h"
#include "ops/parallel.h"

namespace eyrie {

namespace {

constexpr int64_t kBlock = 1024;  // positions

struct Block {
  std::once_flag once;
  std::unique_ptr<float[]> rows;  // [kBlock, 2, pairs]: cos, sin
};

}  // namespace

struct RopeTable::Blocks {
  std::vector<double> frequencies;
  double scale;
  int64_t positions;
  std::vector<Block> list;

  void compute(int64_t index) {
    const auto pairs = static_cast<int64_t>(frequencies.size());
    auto& rows = list[static_cast<size_t>(index)].rows;
    rows = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(2 * kBlock * pairs));
    float* out = rows.get();
    for (int64_t p = index * kBlock; p < (index + 1) * kBlock; ++p, out += 2 * pairs)
      for (int64_t i = 0; i < pairs; ++i) {
        const double angle = static_cast<double>(p) * frequencies[static_cast<size_t>(i)];
        out[i] = static_cast<float>(scale * std::cos(angle));
        out[pairs + i] = static_cast<float>(scale * std::sin(angle));
      }
  }
};

RopeTable::RopeTable(std::vector<double> frequencies, double scale, int64_t positions)
    : blocks_(new Blocks{std::move(frequencies), scale, positions,
                         std::vector<Block>(static_cast<size_t>((positions + kBlock - 1) / kBlock))}) {}

int64_t RopeTable::positions() const { return blocks_ ? blocks_->positions : 0; }
int64_t RopeTable::pairs() const { return blocks_ ? static_cast<int64_t>(blocks_->frequencies.size()) : 0; }
const std::vector<double>& RopeTable::frequencies() const { return blocks_->frequencies; }
double RopeTable::scale() const { return blocks_->scale; }

void RopeTable::prepare(int64_t position) const {
  const int64_t index = position / kBlock;
  std::call_once(blocks_->list[static_cast<size_t>(index)].once, [&] { blocks_->compute(index); });
}

RopeTable::Row RopeTable::row(int64_t position) const {
  const float* cos = blocks_->list[static_cast<size_t>(position / kBlock)].rows.get() + position % kBlock * 2 * pairs();
  return {cos, cos + pairs()};
}

namespace cpu {
namespace {

// Computes the rows that the positions ask for.
void prepare(const Rope& op) {
  const int32_t* position = op.positions.as<int32_t>();
  for (int64_t r = 0; r < op.x.dim(0); ++r) {
    if (position[r] < 0 || position[r] >= op.table.positions())
      throw Error(ErrorKind::input, "positions",
                  fmt::format("row {}: expected a position below {}, found {}", r, op.table.positions(), position[r]));
    op.table.prepare(position[r]);
  }
}

void turn_head(const float* cosine, const float* sine, float sign, int64_t half, const float* x, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half], s = sign * sine[i];
    y[i] = a * cosine[i] - b * s;
    y[i + half] = b * cosine[i] + a * s;
  }
}

void apply_rope(Exec& exec, const Rope& op) {
  prepare(op);
  const auto from = op.x.view<float, 3>();
  const auto to = op.y.view<float, 3>();
  const int32_t* position = op.positions.as<int32_t>();
  const float sign = op.turn == Turn::forward ? 1.0f : -1.0f;
  for_each_range(exec, to.dims[0], 1, 4 * op.x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const auto [cosine, sine] = op.table.row(position[r]);
      for (int64_t h = 0; h < to.dims[1]; ++h)
        turn_head(cosine, sine, sign, op.table.pairs(), from.row(r, h), to.row(r, h));
    }
  });
}

}  // namespace
}  // namespace cpu

void apply_rope(Exec& exec, const Rope& op) {
  expect_floats(exec, "x", op.x, {-1, -1, 2 * op.table.pairs()});
  expect_floats(exec, "y", op.y, op.x.shape);
  expect_tensor(exec, "positions", op.positions, {DType::i32}, {op.x.dim(0)});
  run_twin<cpu::apply_rope, cuda::apply_rope>(exec, op);
}

}  // namespace eyrie
