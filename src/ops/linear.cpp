#include "ops/linear.h"

#include <algorithm>
#include <vector>

#include "ops/activation.h"
#include "ops/linear_few_rows.h"
#include "ops/linear_gradients.h"
#include "ops/linear_many_rows.h"
#include "ops/parallel.h"
#include "ops/row_kernels.h"

namespace eyrie {
namespace {

constexpr int64_t kFewRows = 40;     // up to here W is read as it lies there: copying it would take longer
constexpr int64_t kOutputGrain = 8;  // outputs that the few-row kernel computes together

void expect_matrix(const char* argument, const ConstTensor& found, int64_t rows, int64_t columns) {
  expect_dtype(argument, found, {DType::f32});
  expect_shape(argument, found, {rows, columns});
}

void expect_weight(const ConstTensor& weight, int64_t out, int64_t in) {
  expect_dtype("weight", weight, {DType::f32, DType::bf16, DType::f16});
  expect_shape("weight", weight, {out, in});
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

LinearOutput output_of(const LinearLayer& layer) {
  const auto to = layer.y.view<float, 2>();
  const bool adds = layer.added.defined();
  return {.bias = layer.bias.defined() ? layer.bias.as<float>() : nullptr,
          .added = adds ? layer.added.view<const float, 2>().data : nullptr,
          .y = to.data,
          .added_stride = adds ? layer.added.strides[0] : 0,
          .y_stride = to.strides[0]};
}

FewRows few_rows(const LinearLayer& layer, int64_t in) {
  return {.packed = nullptr,
          .weight = layer.weight.data,
          .dtype = layer.weight.dtype,
          .in = in,
          .out = layer.weight.dim(0),
          .weight_stride = layer.weight.strides[0],
          .packed_stride = packed_width(in),
          .to = output_of(layer),
          .rows = static_cast<int>(layer.y.dim(0)),
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
  job.packed = exec.scratch.take(DType::u8, {thread_count() * job.packed_bytes}).as<uint8_t>();
  for_each_thread(exec, rows.dims[0] * in * outputs,
                  [job, after](int64_t thread, int64_t threads) { after(multiply_share(job, thread, threads)); });
}

// Some rows of x, all layers. The threads copy x into tiles together; then each takes panels of W, copies one for
// itself and multiplies all the rows, or some where there are fewer panels than threads.
class ManyRows {
 public:
  ManyRows(Exec& exec, const ConstTensor& x, std::span<const LinearLayer> layers)
      : exec_(exec), x_(operand(x)), layers_(layers), threads_(thread_count()) {
    for (const LinearLayer& layer : layers) panels_ += panels_of(layer);
    parts_ = std::clamp<int64_t>((2 * threads_ + panels_ - 1) / panels_, 1, row_tiles(x_.rows));
  }

  void run() {
    const ScratchScope scope(exec_.scratch);
    const int64_t width = packed_width(x_.depth);
    const Tensor rows = exec_.scratch.take(DType::f32, {x_.rows, width});
    const Tensor panels = exec_.scratch.take(DType::f32, {threads_, kPanel * width});
    const Tensor kept = exec_.scratch.take(DType::f32, {threads_, kept_sums(kPanel)});
    for (size_t first = 0, end; first < layers_.size(); first = end) {  // those of one order of elements
      const bool pairs = layers_[first].weight.dtype == DType::bf16;
      for (end = first + 1; end < layers_.size() && (layers_[end].weight.dtype == DType::bf16) == pairs;) ++end;
      for_each_range(exec_, row_tiles(x_.rows), 1, 4 * x_.rows * width, [&](int64_t begin, int64_t tile_end) {
        pack_row_tiles(x_, pairs, begin, tile_end, rows.as<float>());
      });
      multiply(layers_.subspan(first, end - first), pairs, rows.as<float>(), panels, kept);
    }
  }

 private:
  static constexpr int64_t kPanel = 64;  // outputs
  static int64_t panels_of(const LinearLayer& layer) { return (layer.weight.dim(0) + kPanel - 1) / kPanel; }
  static ProductOperand operand(const ConstTensor& matrix) {
    return {matrix.data, matrix.dtype, matrix.dim(0), matrix.dim(1), matrix.strides[0]};
  }

  void multiply(std::span<const LinearLayer> layers, bool pairs, const float* rows, const Tensor& panels,
                const Tensor& kept) {
    int64_t count = 0, outputs = 0;
    for (const LinearLayer& layer : layers) count += panels_of(layer), outputs += layer.weight.dim(0);
    for_each_item(exec_, count * parts_, x_.rows * x_.depth * outputs, [&](int64_t thread, int64_t item) {
      int64_t panel = item / parts_;
      const int64_t part = item % parts_, tiles = row_tiles(x_.rows);
      const LinearLayer* layer = layers.data();
      for (; panel >= panels_of(*layer); ++layer) panel -= panels_of(*layer);
      const int64_t first = panel * kPanel, end = std::min(first + kPanel, layer->weight.dim(0));
      float* packed = panels[thread].as<float>();
      pack_output_tiles(operand(layer->weight), pairs, first, end, packed);
      multiply_tiles({.x = rows,
                      .weight = packed,
                      .rows = x_.rows,
                      .depth = x_.depth,
                      .first_output = first,
                      .end_output = end,
                      .to = output_of(*layer),
                      .kept = kept[thread].as<float>()},
                     tiles * part / parts_, tiles * (part + 1) / parts_);
    });
  }

  Exec& exec_;
  const ProductOperand x_;
  const std::span<const LinearLayer> layers_;
  const int64_t threads_;
  int64_t panels_ = 0, parts_;
};

// So many rows at a time as stay in the last cache once they are copied.
void multiply_many(Exec& exec, const ConstTensor& x, std::span<const LinearLayer> layers) {
  constexpr int64_t kElements = int64_t{1} << 21, kLeastRows = 192;
  const int64_t rows = x.dim(0), most = std::max(kElements / std::max<int64_t>(x.dim(1), 1), kLeastRows);
  const int64_t blocks = (rows + most - 1) / most;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = rows * block / blocks, end = rows * (block + 1) / blocks;
    std::vector<LinearLayer> part(layers.begin(), layers.end());
    for (LinearLayer& layer : part) {
      layer.y = layer.y.slice(first, end);
      if (layer.added.defined()) layer.added = layer.added.slice(first, end);
    }
    ManyRows(exec, x.slice(first, end), part).run();
  }
}

// Each thread takes some rows of C at a time and copies for itself what it reads.
void multiply_gradient(Exec& exec, const GradientProduct& product) {
  constexpr int64_t kLeastRows = 48, kMostRows = 480;  // multiples of any tile
  const int64_t threads = thread_count(), share = (product.rows + 2 * threads - 1) / (2 * threads);
  const int64_t rows = std::clamp((share + kLeastRows - 1) / kLeastRows * kLeastRows, kLeastRows, kMostRows);
  const ScratchScope scope(exec.scratch);
  const Tensor scratch = exec.scratch.take(DType::f32, {threads, gradient_scratch_floats(rows)});
  for_each_item(exec, (product.rows + rows - 1) / rows, product.rows * product.depth * product.width,
                [&](int64_t thread, int64_t item) {
                  multiply_gradient(product, item * rows, std::min((item + 1) * rows, product.rows),
                                    scratch[thread].as<float>());
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
  if (x.dim(0) > kFewRows) return multiply_many(exec, x, layers);
  for (; layers.size() > Job::kMostLayers; layers = layers.subspan(Job::kMostLayers))
    multiply_few(exec, x, layers.first(Job::kMostLayers), [](Share) {});
  multiply_few(exec, x, layers, [](Share) {});
}

void linear_gated(Exec& exec, ConstTensor x, const LinearLayer& gate, const LinearLayer& up, Tensor product) {
  const LinearLayer layers[] = {gate, up};
  expect_matrix("x", x, -1, -1);
  for (const LinearLayer& layer : layers) check(x, layer);
  expect_matrix("up", up.y, x.dim(0), gate.y.dim(1));
  expect_matrix("product", product, x.dim(0), gate.y.dim(1));
  if (x.dim(0) > kFewRows || product.elements() == 0) {
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
  multiply_gradient(exec, {.a = d_y.view<const float, 2>().data,
                           .a_row_stride = d_y.strides[0],
                           .a_depth_stride = 1,
                           .b = weight.data,
                           .b_dtype = weight.dtype,
                           .b_stride = weight.strides[0],
                           .c = d_x.view<float, 2>().data,
                           .c_stride = d_x.strides[0],
                           .rows = d_y.dim(0),
                           .depth = weight.dim(0),
                           .width = weight.dim(1),
                           .accumulate = into == Into::accumulate});
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
  multiply_gradient(exec, {.a = from.data,
                           .a_row_stride = 1,
                           .a_depth_stride = from.strides[0],
                           .b = x.data,
                           .b_dtype = DType::f32,
                           .b_stride = x.strides[0],
                           .c = d_weight.view<float, 2>().data,
                           .c_stride = d_weight.strides[0],
                           .rows = d_y.dim(1),
                           .depth = d_y.dim(0),
                           .width = x.dim(1),
                           .accumulate = true});
  if (d_bias.defined()) add_column_sums(exec, from, d_bias.as<float>());
}

}  // namespace eyrie
