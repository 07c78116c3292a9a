#include "ops/rope.h"

#include <fmt/core.h>

#include <cmath>
#include <mutex>

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

void RopeTable::prepare(int64_t position) const {
  const int64_t index = position / kBlock;
  std::call_once(blocks_->list[static_cast<size_t>(index)].once, [&] { blocks_->compute(index); });
}

RopeTable::Row RopeTable::row(int64_t position) const {
  const float* cos = blocks_->list[static_cast<size_t>(position / kBlock)].rows.get() + position % kBlock * 2 * pairs();
  return {cos, cos + pairs()};
}

namespace {

// The door: computes the rows that the positions ask for.
void prepare(const RopeTable& table, const ConstTensor& positions, const Tensor& x) {
  expect_dtype("x", x, {DType::f32});
  expect_shape("x", x, {-1, -1, 2 * table.pairs()});
  expect_dtype("positions", positions, {DType::i32});
  expect_shape("positions", positions, {x.dim(0)});
  const int32_t* position = positions.as<int32_t>();
  for (int64_t r = 0; r < x.dim(0); ++r) {
    if (position[r] < 0 || position[r] >= table.positions())
      throw Error(ErrorKind::input, "positions",
                  fmt::format("row {}: expected a position below {}, found {}", r, table.positions(), position[r]));
    table.prepare(position[r]);
  }
}

void turn_head(const float* cosine, const float* sine, float sign, int64_t half, float* x) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half], s = sign * sine[i];
    x[i] = a * cosine[i] - b * s;
    x[i + half] = b * cosine[i] + a * s;
  }
}

}  // namespace

void apply_rope(Exec& exec, const RopeTable& table, ConstTensor positions, Tensor x, Turn turn) {
  prepare(table, positions, x);
  const auto to = x.view<float, 3>();
  const int32_t* position = positions.as<int32_t>();
  const float sign = turn == Turn::forward ? 1.0f : -1.0f;
  for_each_range(exec, to.dims[0], 1, 4 * x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const auto [cosine, sine] = table.row(position[r]);
      for (int64_t h = 0; h < to.dims[1]; ++h) turn_head(cosine, sine, sign, table.pairs(), to.row(r, h));
    }
  });
}

}  // namespace eyrie
