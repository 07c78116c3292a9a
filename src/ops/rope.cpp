#include "ops/rope.h"

#include <fmt/core.h>

#include <cmath>

#include "ops/parallel.h"

namespace eyrie {

RopeTable make_rope_table(const std::vector<double>& frequencies, double scale, int64_t positions) {
  const auto half = static_cast<int64_t>(frequencies.size());
  RopeTable table{Buffer(DType::f32, {positions, half}), Buffer(DType::f32, {positions, half})};
  const auto cosines = table.cos.tensor().view<float, 2>(), sines = table.sin.tensor().view<float, 2>();
#pragma omp parallel for
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(p) * frequencies[static_cast<size_t>(i)];
      cosines(p, i) = static_cast<float>(scale * std::cos(angle));
      sines(p, i) = static_cast<float>(scale * std::sin(angle));
    }
  return table;
}

namespace {

void check(const RopeTable& table, const ConstTensor& positions, const Tensor& x) {
  const ConstTensor cosines = table.cos;
  expect_dtype("x", x, {DType::f32});
  expect_shape("x", x, {-1, -1, 2 * cosines.dim(1)});
  expect_dtype("positions", positions, {DType::i32});
  expect_shape("positions", positions, {x.dim(0)});
  const int32_t* position = positions.as<int32_t>();
  for (int64_t r = 0; r < x.dim(0); ++r)
    if (position[r] < 0 || position[r] >= cosines.dim(0))
      throw Error(ErrorKind::input, "positions",
                  fmt::format("row {}: expected a position below {}, found {}", r, cosines.dim(0), position[r]));
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
  check(table, positions, x);
  const auto cosines = table.cos.tensor().view<float, 2>(), sines = table.sin.tensor().view<float, 2>();
  const auto to = x.view<float, 3>();
  const int32_t* position = positions.as<int32_t>();
  const float sign = turn == Turn::forward ? 1.0f : -1.0f;
  for_each_range(exec, to.dims[0], 1, 4 * x.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (int64_t h = 0; h < to.dims[1]; ++h)
        turn_head(cosines.row(position[r]), sines.row(position[r]), sign, cosines.dims[1], to.row(r, h));
  });
}

}  // namespace eyrie
