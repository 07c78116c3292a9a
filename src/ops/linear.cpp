#include "ops/linear.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>

#include "ops/activation.h"
#include "ops/linear_kernels.h"
#include "ops/parallel.h"
#include "ops/row_kernels.h"

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

// y = added + bias.
void start(Exec& exec, const LinearLayer& layer) {
  if (layer.added.defined() && layer.added.data != layer.y.data) copy(layer.added, layer.y);
  if (!layer.bias.defined()) return;
  const auto rows = layer.y.view<float, 2>();
  const float* bias = layer.bias.as<float>();
  const bool accumulate = layer.added.defined();
  for_each_range(exec, rows.dims[0], 1, layer.y.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* row = rows.row(r);
#pragma omp simd
      for (int64_t c = 0; c < rows.dims[1]; ++c) row[c] = accumulate ? row[c] + bias[c] : bias[c];
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

// What the threads read of a call: little, and in one place, for each line of it has to cross from core to core.
struct Job {
  static constexpr size_t kMostLayers = 4;
  const float* x;
  int64_t x_stride, layer_count, packed_bytes;  // of one thread
  unsigned char* packed;
  FewRows layers[kMostLayers];
};

FewRows few_rows(const LinearLayer& layer, int64_t in) {
  const auto to = layer.y.view<float, 2>();
  const bool adds = layer.added.defined();
  return {.packed = nullptr,
          .weight = layer.weight.data,
          .dtype = layer.weight.dtype,
          .in = in,
          .out = layer.weight.dim(0),
          .weight_stride = layer.weight.strides[0],
          .packed_stride = packed_width(in),
          .bias = layer.bias.defined() ? layer.bias.as<float>() : nullptr,
          .added = adds ? layer.added.view<const float, 2>().data : nullptr,
          .y = to.data,
          .added_stride = adds ? layer.added.strides[0] : 0,
          .y_stride = to.strides[0],
          .rows = static_cast<int>(to.dims[0]),
          .next = nullptr};
}

// A thread's share of every layer's outputs, all rows at once; it packs x for itself: it would wait longer for lines
// that another one has just written. Returns the share of the last.
Share multiply_share(const Job& job, int64_t thread, int64_t threads) {
  auto* packed = reinterpret_cast<float*>(job.packed + thread * job.packed_bytes);
  Share share = share_of(job.layers[0].out, kOutputGrain, thread, threads);
  for (int64_t i = 0;; ++i) {
    FewRows layer = job.layers[i];
    layer.packed = packed;
    if (i == 0 || layer.dtype != job.layers[i - 1].dtype)
      for (int r = 0; r < layer.rows; ++r)
        pack_row(job.x + r * job.x_stride, layer.in, layer.dtype, packed + r * layer.packed_stride);
    const bool last = i + 1 == job.layer_count;
    const Share next = last ? Share{} : share_of(job.layers[i + 1].out, kOutputGrain, thread, threads);
    if (!last) layer.next = job.layers[i + 1].weight_row(next.begin);
    if (share.begin < share.end) multiply_few_rows(layer, share.begin, share.end);
    if (last) return share;
    share = next;
  }
}

// The few-row kernel, at most Job::kMostLayers of them; then after(share) of the last layer's outputs.
template <typename After>
void multiply_few(Exec& exec, const ConstTensor& x, std::span<const LinearLayer> layers, const After& after) {
  constexpr int64_t kOwnBytes = 16 << 10;  // a thread's lines stay its own from one call to the next of another width
  const auto rows = x.view<const float, 2>();
  const int64_t in = x.dim(1), packed_bytes = rows.dims[0] * packed_width(in) * size_bytes(DType::f32);
  Job job{.x = rows.data,
          .x_stride = rows.strides[0],
          .layer_count = static_cast<int64_t>(layers.size()),
          .packed_bytes = (packed_bytes + kOwnBytes - 1) / kOwnBytes * kOwnBytes,
          .packed = nullptr,
          .layers = {}};
  int64_t outputs = 0;
  for (size_t i = 0; i < layers.size(); ++i) job.layers[i] = few_rows(layers[i], in), outputs += job.layers[i].out;
  const ScratchScope scope(exec.scratch);
  job.packed = exec.scratch.take(DType::u8, {omp_get_max_threads() * job.packed_bytes}).as<uint8_t>();
  for_each_thread(exec, rows.dims[0] * in * outputs,
                  [job, after](int64_t thread, int64_t threads) { after(multiply_share(job, thread, threads)); });
}

// sgemm cuts the rows into tiles by its threads, and with AVX2 a row's bits go by its tile. Inside a crew it has one
// thread: there the same product would be another.
void expect_no_crew(const Exec& exec) {
  if (exec.crew)
    throw Error(ErrorKind::internal, "linear", "expected no crew around a product of many rows, found one");
}

// By sgemm, panel after panel of W's rows, that is of y's columns.
void multiply(Exec& exec, const ConstTensor& x, const LinearLayer& layer) {
  start(exec, layer);
  const float beta = layer.added.defined() || layer.bias.defined() ? 1.0f : 0.0f;
  const auto from = x.view<const float, 2>();
  const auto to = layer.y.view<float, 2>();
  for_each_panel(exec, layer.weight, [&](const ConstTensor& panel, int64_t first, int64_t end) {
    const auto w = panel.view<const float, 2>();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas(x.dim(0)), blas(end - first), blas(x.dim(1)), 1.0f,
                from.data, blas(from.strides[0]), w.data, blas(w.strides[0]), beta, to.data + first,
                blas(to.strides[0]));
  });
}

void check(const ConstTensor& x, const LinearLayer& layer) {
  expect_weight(layer.weight, -1, x.dim(1));
  expect_matrix("y", layer.y, x.dim(0), layer.weight.dim(0));
  if (layer.added.defined()) expect_matrix("added", layer.added, x.dim(0), layer.weight.dim(0));
  if (!layer.bias.defined()) return;
  expect_dtype("bias", layer.bias, {DType::f32});
  expect_shape("bias", layer.bias, {layer.weight.dim(0)});
}

}  // namespace

void linear(Exec& exec, ConstTensor x, const LinearLayer& layer) { linear(exec, x, std::span(&layer, 1)); }

void linear(Exec& exec, ConstTensor x, std::span<const LinearLayer> layers) {
  expect_matrix("x", x, -1, -1);
  for (const LinearLayer& layer : layers) check(x, layer);
  if (layers.empty() || x.dim(0) == 0) return;
  if (x.dim(0) <= kGemvRows) {
    for (; layers.size() > Job::kMostLayers; layers = layers.subspan(Job::kMostLayers))
      multiply_few(exec, x, layers.first(Job::kMostLayers), [](Share) {});
    return multiply_few(exec, x, layers, [](Share) {});
  }
  expect_no_crew(exec);
  for (const LinearLayer& layer : layers)
    if (layer.y.elements() > 0) multiply(exec, x, layer);
}

void linear_gated(Exec& exec, ConstTensor x, const LinearLayer& gate, const LinearLayer& up, Tensor product) {
  const LinearLayer layers[] = {gate, up};
  expect_matrix("x", x, -1, -1);
  for (const LinearLayer& layer : layers) check(x, layer);
  expect_matrix("up", up.y, x.dim(0), gate.y.dim(1));
  expect_matrix("product", product, x.dim(0), gate.y.dim(1));
  if (x.dim(0) > kGemvRows || product.elements() == 0) {
    linear(exec, x, layers);
    return silu_multiply(exec, gate.y, up.y, product);
  }
  const auto g = gate.y.view<const float, 2>(), u = up.y.view<const float, 2>();
  const auto to = product.view<float, 2>();
  multiply_few(exec, x, layers, [g, u, to](Share share) {
    for (int64_t r = 0; r < to.dims[0] && share.begin < share.end; ++r)
      silu_row(g.row(r) + share.begin, u.row(r) + share.begin, share.end - share.begin, to.row(r) + share.begin);
  });
}

void linear_backward_input(Exec& exec, ConstTensor d_y, ConstTensor weight, Tensor d_x, Into into) {
  expect_matrix("d_y", d_y, -1, -1);
  expect_weight(weight, d_y.dim(1), -1);
  expect_matrix("d_x", d_x, d_y.dim(0), weight.dim(1));
  if (d_x.elements() == 0) return;
  expect_no_crew(exec);
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
  expect_no_crew(exec);
  const auto from = d_y.view<const float, 2>();
  const auto in = x.view<const float, 2>();
  const auto to = d_weight.view<float, 2>();
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas(d_y.dim(1)), blas(x.dim(1)), blas(x.dim(0)), 1.0f,
              from.data, blas(from.strides[0]), in.data, blas(in.strides[0]), 1.0f, to.data, blas(to.strides[0]));
  if (d_bias.defined()) add_column_sums(exec, from, d_bias.as<float>());
}

}  // namespace eyrie
