#include "ops/linear.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>

#include "ops/linear_kernels.h"
#include "ops/parallel.h"

namespace eyrie {
namespace {

constexpr int64_t kPanelElements = int64_t{1} << 18;  // 1 MB of f32: a widened panel stays near the core
constexpr int64_t kOutputGrain = 8;                   // outputs that the few-row kernel computes together

int blas(int64_t size) { return static_cast<int>(size); }

void expect_matrix(const char* argument, const ConstTensor& found, int64_t rows, int64_t columns) {
  expect_dtype(argument, found, {DType::f32});
  expect_shape(argument, found, {rows, columns});
}

void expect_weight(const ConstTensor& weight, int64_t out, int64_t in) {
  expect_dtype("weight", weight, {DType::f32, DType::bf16, DType::f16});
  expect_shape("weight", weight, {out, in});
}

void widen_rows(Exec& exec, const ConstTensor& weight, const Tensor& panel) {
  const int64_t in = weight.dim(1), width = size_bytes(weight.dtype);
  for_each_range(exec, weight.dim(0), 1, weight.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      widen(static_cast<const char*>(weight.data) + o * weight.strides[0] * width, weight.dtype, in,
            panel.as<float>() + o * in);
  });
}

// Calls work(panel, first, end) for the rows of a weight as f32: the weight itself, or copies of a few rows at a time.
template <typename Work>
void for_each_panel(Exec& exec, const ConstTensor& weight, const Work& work) {
  const int64_t out = weight.dim(0), in = weight.dim(1);
  if (weight.dtype == DType::f32) return work(weight, 0, out);
  const int64_t step = std::clamp<int64_t>(kPanelElements / std::max<int64_t>(in, 1), 1, std::max<int64_t>(out, 1));
  ScratchScope scope(exec.scratch);
  const Tensor memory = exec.scratch.take(DType::f32, {step, in});
  for (int64_t first = 0; first < out; first += step) {
    const int64_t end = std::min(first + step, out);
    const Tensor panel = memory.slice(0, end - first);
    widen_rows(exec, weight.slice(first, end), panel);
    work(panel, first, end);
  }
}

void start_with_bias(Exec& exec, const ConstTensor& bias, const Tensor& y, bool accumulate) {
  const auto rows = y.view<float, 2>();
  const float* added = bias.as<float>();
  for_each_range(exec, rows.dims[0], 1, y.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* row = rows.row(r);
#pragma omp simd
      for (int64_t c = 0; c < rows.dims[1]; ++c) row[c] = accumulate ? row[c] + added[c] : added[c];
    }
  });
}

// sums += the rows, in their order whatever the threads: each takes some columns.
void add_column_sums(Exec& exec, const View<const float, 2>& rows, float* sums) {
  for_each_range(exec, rows.dims[1], kOutputGrain, rows.dims[0] * rows.dims[1], [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows.dims[0]; ++r)
#pragma omp simd
      for (int64_t c = begin; c < end; ++c) sums[c] += rows(r, c);
  });
}

// The few-row kernel: every thread takes a range of outputs, all rows at once, and packs x for itself: it would wait
// longer for lines that another one has just written.
void multiply_few(Exec& exec, const ConstTensor& x, const ConstTensor& weight, const ConstTensor& bias, const Tensor& y,
                  bool accumulate) {
  const auto rows = x.view<const float, 2>();
  const auto to = y.view<float, 2>();
  const int64_t in = x.dim(1), out = weight.dim(0);
  ScratchScope scope(exec.scratch);
  const Tensor packed = exec.scratch.take(DType::f32, {omp_get_max_threads(), x.dim(0), packed_width(in)});
  const FewRows problem = {.packed = nullptr,
                           .weight = weight.data,
                           .dtype = weight.dtype,
                           .in = in,
                           .weight_stride = weight.strides[0],
                           .packed_stride = packed.strides[1],
                           .bias = bias.defined() ? bias.as<float>() : nullptr,
                           .y = to.data,
                           .y_stride = to.strides[0],
                           .rows = static_cast<int>(x.dim(0)),
                           .accumulate = accumulate};
  for_each_range(exec, out, kOutputGrain, x.dim(0) * in * out, [&](int64_t begin, int64_t end) {
    const auto own = packed[omp_get_thread_num()].view<float, 2>();
    for (int64_t r = 0; r < rows.dims[0]; ++r) pack_row(rows.row(r), in, weight.dtype, own.row(r));
    FewRows share = problem;
    share.packed = own.data;
    multiply_few_rows(share, begin, end);
  });
}

// y = beta y + x Wᵀ by sgemm, panel after panel of W's rows, that is of y's columns.
void multiply(Exec& exec, const ConstTensor& x, const ConstTensor& weight, const Tensor& y, float beta) {
  const auto from = x.view<const float, 2>();
  const auto to = y.view<float, 2>();
  for_each_panel(exec, weight, [&](const ConstTensor& panel, int64_t first, int64_t end) {
    const auto w = panel.view<const float, 2>();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas(x.dim(0)), blas(end - first), blas(x.dim(1)), 1.0f,
                from.data, blas(from.strides[0]), w.data, blas(w.strides[0]), beta, to.data + first,
                blas(to.strides[0]));
  });
}

}  // namespace

void linear(Exec& exec, ConstTensor x, ConstTensor weight, ConstTensor bias, Tensor y, Into into) {
  expect_matrix("x", x, -1, -1);
  expect_weight(weight, -1, x.dim(1));
  expect_matrix("y", y, x.dim(0), weight.dim(0));
  if (bias.defined()) {
    expect_dtype("bias", bias, {DType::f32});
    expect_shape("bias", bias, {weight.dim(0)});
  }
  if (y.elements() == 0) return;
  const bool accumulate = into == Into::accumulate;
  if (x.dim(0) <= kGemvRows) return multiply_few(exec, x, weight, bias, y, accumulate);
  if (bias.defined()) start_with_bias(exec, bias, y, accumulate);
  multiply(exec, x, weight, y, accumulate || bias.defined() ? 1.0f : 0.0f);
}

void linear_backward_input(Exec& exec, ConstTensor d_y, ConstTensor weight, Tensor d_x, Into into) {
  expect_matrix("d_y", d_y, -1, -1);
  expect_weight(weight, d_y.dim(1), -1);
  expect_matrix("d_x", d_x, d_y.dim(0), weight.dim(1));
  if (d_x.elements() == 0) return;
  const auto from = d_y.view<const float, 2>();
  const auto to = d_x.view<float, 2>();
  for_each_panel(exec, weight, [&](const ConstTensor& panel, int64_t first, int64_t end) {
    const auto w = panel.view<const float, 2>();
    const float beta = into == Into::accumulate || first > 0 ? 1.0f : 0.0f;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas(d_y.dim(0)), blas(weight.dim(1)), blas(end - first),
                1.0f, from.data + first, blas(from.strides[0]), w.data, blas(w.strides[0]), beta, to.data,
                blas(to.strides[0]));
  });
}

void linear_backward_weight(Exec& exec, ConstTensor d_y, ConstTensor x, Tensor d_weight, Tensor d_bias) {
  expect_matrix("d_y", d_y, -1, -1);
  expect_matrix("x", x, d_y.dim(0), -1);
  expect_matrix("d_weight", d_weight, d_y.dim(1), x.dim(1));
  if (d_bias.defined()) {
    expect_dtype("d_bias", d_bias, {DType::f32});
    expect_shape("d_bias", d_bias, {d_y.dim(1)});
  }
  if (d_y.elements() == 0 || x.elements() == 0) return;
  const auto from = d_y.view<const float, 2>();
  const auto in = x.view<const float, 2>();
  const auto to = d_weight.view<float, 2>();
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas(d_y.dim(1)), blas(x.dim(1)), blas(x.dim(0)), 1.0f,
              from.data, blas(from.strides[0]), in.data, blas(in.strides[0]), 1.0f, to.data, blas(to.strides[0]));
  if (d_bias.defined()) add_column_sums(exec, from, d_bias.as<float>());
}

}  // namespace eyrie
