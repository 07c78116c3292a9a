#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear_few_rows.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before highway.h
#include <algorithm>
#include <cstring>

#include "ops/linear_few_rows.h"
#include "ops/linear_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::HWY_NAMESPACE {
namespace {

constexpr int64_t kLine = 64, kPage = 4096;      // bytes
constexpr int kMostRows = kLanes == 16 ? 5 : 3;  // rows computed together: what the registers hold

// Asks for the W rows that come next while a block is computed. Short rows, which caches hold: line after line as they
// lie in memory, the order that the processor's own prefetching knows. Rows of a page and more: all of them side by
// side, since memory likes several streams. Into the first cache if they leave room there for the present rows, else
// into the second.
template <int kCount, typename W>
struct Ahead {
  Ahead(const void* next_rows, int64_t row_bytes_)
      : next(static_cast<const char*>(next_rows)),
        row_bytes(row_bytes_),
        near(kCount * row_bytes <= kNearBytes),
        in_order(near && row_bytes < kPage) {}
  HWY_INLINE void fetch() {  // as many bytes as a step takes
    if (in_order) {
      HWY_UNROLL(8)
      for (int64_t line = 0; line < kCount * kStepBytes; line += kLine) __builtin_prefetch(next + line, 0, 3);
      next += kCount * kStepBytes;
      return;
    }
    for (int o = 0; o < kCount; ++o)
      near ? __builtin_prefetch(next + o * row_bytes, 0, 3) : __builtin_prefetch(next + o * row_bytes, 0, 2);
    next += kStepBytes;
  }
  static constexpr int64_t kNearBytes = 16 << 10;
  static constexpr int64_t kStepBytes = kStep * static_cast<int64_t>(sizeof(W));
  const char* next;
  const int64_t row_bytes;
  const bool near, in_order;
};

// Adds kStep elements of each W row into the sums of each x row.
template <int kRows, int kCount, typename W>
HWY_INLINE void add_step(const W* const (&w)[kCount], int64_t at, const float* x, int64_t x_stride,
                         Vector (&sums)[kRows][kCount]) {
  const Floats d;
  Pair pairs[kCount];
  HWY_UNROLL(8)
  for (int o = 0; o < kCount; ++o) pairs[o] = load_step(w[o] + at);
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    const Vector first = hn::Load(d, x + r * x_stride), second = hn::Load(d, x + r * x_stride + kLanes);
    HWY_UNROLL(8)
    for (int o = 0; o < kCount; ++o) sums[r][o] = hn::MulAdd(pairs[o].first, first, sums[r][o]);
    HWY_UNROLL(8)
    for (int o = 0; o < kCount; ++o) sums[r][o] = hn::MulAdd(pairs[o].second, second, sums[r][o]);
  }
}

// The ends of the W rows, where less than kStep elements are left, with zeros behind.
template <int kCount, typename W>
struct Tails {
  Tails(const W* const (&w)[kCount], int64_t from, int64_t in) {
    std::memset(elements, 0, sizeof(elements));
    for (int o = 0; o < kCount; ++o) {
      std::memcpy(elements[o], w[o] + from, static_cast<size_t>(in - from) * sizeof(W));
      rows[o] = elements[o];
    }
  }
  W elements[kCount][kStep];
  const W* rows[kCount];
};

// kRows rows from `row` times the W rows from `output`. Past the last output the last one is computed again, so that
// nothing else is read.
template <int kRows, int kCount, typename W>
HWY_INLINE void multiply_block(const FewRows& p, int row, int64_t output, int64_t end_output) {
  const void* next = output + kCount < end_output || !p.next ? p.weight_row(output + kCount) : p.next;
  const W* w[kCount] = {static_cast<const W*>(p.weight) + output * p.weight_stride};
  for (int o = 1; o < kCount; ++o) w[o] = w[o - 1] + (output + o < end_output ? p.weight_stride : 0);
  Vector sums[kRows][kCount];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int o = 0; o < kCount; ++o) sums[r][o] = hn::Zero(Floats());
  }
  const float* x = p.packed + row * p.packed_stride;
  const int64_t whole = p.in / kStep * kStep;
  Ahead<kCount, W> ahead(next, p.weight_stride * static_cast<int64_t>(sizeof(W)));
  for (int64_t i = 0; i < whole; i += kStep) {
    ahead.fetch();
    add_step(w, i, x + i, p.packed_stride, sums);
  }
  if (whole < p.in) {
    const Tails<kCount, W> tails(w, whole, p.in);
    add_step(tails.rows, 0, x + whole, p.packed_stride, sums);
  }
  store_block(p.to, row, output, end_output, sums);
}

// One row of x times kOutputs W rows of a page and more, which come from memory: one after another as they lie there,
// a page asked for ahead. (Side by side each would be a stream that ends at once.) The sums add in the same order.
template <typename W>
HWY_INLINE void multiply_rows_in_order(const FewRows& p, int64_t output, int64_t end_output) {
  constexpr int64_t kAhead = kPage / static_cast<int64_t>(sizeof(W));
  Vector sums[1][kOutputs];
  const int64_t whole = p.in / kStep * kStep;
  for (int o = 0; o < kOutputs; ++o) {
    const W* w[1] = {static_cast<const W*>(p.weight) + std::min(output + o, end_output - 1) * p.weight_stride};
    Vector sum[1][1] = {{hn::Zero(Floats())}};
    for (int64_t i = 0; i < whole; i += kStep) {
      HWY_UNROLL(2)
      for (int64_t line = 0; line < kStep; line += kLine / static_cast<int64_t>(sizeof(W)))
        __builtin_prefetch(w[0] + i + line + kAhead, 0, 3);
      add_step(w, i, p.packed + i, p.packed_stride, sum);
    }
    if (whole < p.in) {
      const Tails<1, W> tails(w, whole, p.in);
      add_step(tails.rows, 0, p.packed + whole, p.packed_stride, sum);
    }
    sums[0][o] = sum[0][0];
  }
  store_block(p.to, 0, output, end_output, sums);
}

// `rows` <= kMostRows rows from `row`.
template <typename W>
HWY_INLINE void multiply_group(const FewRows& p, int rows, int row, int64_t output, int64_t end_output) {
  switch (rows) {
    case 1:
      return multiply_block<1, kOutputs, W>(p, row, output, end_output);
    case 2:
      return multiply_block<2, kOutputs, W>(p, row, output, end_output);
    case 3:
      return multiply_block<3, kOutputs, W>(p, row, output, end_output);
  }
  if constexpr (kMostRows == 5) {
    if (rows == 4) return multiply_block<4, kOutputs, W>(p, row, output, end_output);
    multiply_block<5, kOutputs, W>(p, row, output, end_output);
  }
}

template <typename W>
void multiply_outputs(const FewRows& p, int64_t first_output, int64_t end_output) {
  if (p.rows == 1) {
    if (p.weight_stride * static_cast<int64_t>(sizeof(W)) >= kPage) {
      for (int64_t o = first_output; o < end_output; o += kOutputs) multiply_rows_in_order<W>(p, o, end_output);
      return;
    }
    constexpr int kWide = 2 * kOutputs;  // one row alone has too few chains to hide the latency of an addition
    for (int64_t o = first_output; o < end_output; o += kWide) multiply_block<1, kWide, W>(p, 0, o, end_output);
    return;
  }
  const int groups = (p.rows + kMostRows - 1) / kMostRows;
  for (int64_t o = first_output; o < end_output; o += kOutputs)
    for (int g = 0; g < groups; ++g) {  // evenly: 7 rows are 4 and 3
      const int row = p.rows * g / groups, end = p.rows * (g + 1) / groups;
      multiply_group<W>(p, end - row, row, o, end_output);
    }
}

}  // namespace

void multiply_few_rows(const FewRows& problem, int64_t first_output, int64_t end_output) {
  if (problem.dtype == DType::f32) return multiply_outputs<float>(problem, first_output, end_output);
  if (problem.dtype == DType::bf16) return multiply_outputs<bf16>(problem, first_output, end_output);
  multiply_outputs<f16>(problem, first_output, end_output);
}

void pack_row(const float* x, int64_t in, DType weight_dtype, float* packed) {
  const int64_t end = packed_width(in);
  if (weight_dtype != DType::bf16) {
    std::copy(x, x + in, packed);
    return std::fill(packed + in, packed + end, 0.0f);
  }
  const Floats d;
  const int64_t whole = in / kStep * kStep;
  for (int64_t step = 0; step < whole; step += kStep) {
    Vector even, odd;
    hn::LoadInterleaved2(d, x + step, even, odd);
    hn::Store(even, d, packed + step);
    hn::Store(odd, d, packed + step + kLanes);
  }
  std::fill(packed + whole, packed + end, 0.0f);
  for (int64_t i = whole; i < in; ++i) packed[whole + (i - whole) % 2 * kLanes + (i - whole) / 2] = x[i];
}

}  // namespace eyrie::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie {
HWY_EXPORT(multiply_few_rows);
HWY_EXPORT(pack_row);

void multiply_few_rows(const FewRows& problem, int64_t first_output, int64_t end_output) {
  HWY_DYNAMIC_DISPATCH(multiply_few_rows)(problem, first_output, end_output);
}
void pack_row(const float* x, int64_t in, DType weight_dtype, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_row)(x, in, weight_dtype, packed);
}

}  // namespace eyrie
#endif
