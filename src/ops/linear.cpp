#include "ops/linear.h"

#include <algorithm>
#include <array>

#include "ops/activation.h"
#include "ops/door.h"
#include "ops/linear_few_rows.h"
#include "ops/linear_gradients.h"
#include "ops/linear_many_rows.h"
#include "ops/parallel.h"
#include "ops/row_kernels.h"

namespace eyrie {
namespace cpu {
namespace {

constexpr int64_t kFewRows = 40;     // up to here W is read as it lies there: copying it would take longer
constexpr int64_t kOutputGrain = 8;  // outputs that the few-row kernel computes together

// sums += the rows, in their order whatever the threads: each takes some columns.
void add_column_sums(Exec& exec, const View<const float, 2>& rows, float* sums) {
  for_each_range(exec, rows.dims[1], kOutputGrain, rows.dims[0] * rows.dims[1], [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows.dims[0]; ++r)
#pragma omp simd
      for (int64_t c = begin; c < end; ++c) sums[c] += rows(r, c);
  });
}

constexpr size_t kMostLayers = 4;  // of one x in one go

// What the threads read of a call: little, and in one place, for each line of it has to cross from core to core.
struct Job {
  const float* x;
  int64_t x_stride, layer_count, packed_bytes;  // of one thread
  unsigned char* packed;
  FewRows layers[kMostLayers];
};

LinearOutput output_of(const Linear& layer) {
  const auto to = layer.y.view<float, 2>();
  const bool adds = layer.added.defined();
  return {.bias = layer.bias.defined() ? layer.bias.as<float>() : nullptr,
          .added = adds ? layer.added.view<const float, 2>().data : nullptr,
          .y = to.data,
          .added_stride = adds ? layer.added.strides[0] : 0,
          .y_stride = to.strides[0]};
}

FewRows few_rows(const Linear& layer) {
  const int64_t in = layer.x.dim(1);
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

// The few-row kernel; then after(share) of the last layer's outputs.
template <typename After>
void multiply_few(Exec& exec, std::span<const Linear> layers, const After& after) {
  constexpr int64_t kOwnBytes = 16 << 10;  // a thread's lines stay its own from one call to the next of another width
  const auto rows = layers[0].x.view<float, 2>();
  const int64_t in = rows.dims[1], packed_bytes = rows.dims[0] * packed_width(in) * size_bytes(DType::f32);
  Job job{.x = rows.data,
          .x_stride = rows.strides[0],
          .layer_count = static_cast<int64_t>(layers.size()),
          .packed_bytes = (packed_bytes + kOwnBytes - 1) / kOwnBytes * kOwnBytes,
          .packed = nullptr,
          .layers = {}};
  int64_t outputs = 0;
  for (size_t i = 0; i < layers.size(); ++i) job.layers[i] = few_rows(layers[i]), outputs += job.layers[i].out;
  const ScratchScope scope(exec.scratch);
  job.packed = exec.scratch.take(DType::u8, {thread_count() * job.packed_bytes}).as<uint8_t>();
  for_each_thread(exec, rows.dims[0] * in * outputs,
                  [job, after](int64_t thread, int64_t threads) { after(multiply_share(job, thread, threads)); });
}

// Some rows, all layers. The threads copy x into tiles together; then each takes panels of W, copies one for
// itself and multiplies all the rows, or some where there are fewer panels than threads.
class ManyRows {
 public:
  ManyRows(Exec& exec, std::span<const Linear> layers)
      : exec_(exec), x_(operand(layers[0].x)), layers_(layers), threads_(thread_count()) {
    for (const Linear& layer : layers) panels_ += panels_of(layer);
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
  static int64_t panels_of(const Linear& layer) { return (layer.weight.dim(0) + kPanel - 1) / kPanel; }
  static ProductOperand operand(const ConstTensor& matrix) {
    return {matrix.data, matrix.dtype, matrix.dim(0), matrix.dim(1), matrix.strides[0]};
  }

  void multiply(std::span<const Linear> layers, bool pairs, const float* rows, const Tensor& panels,
                const Tensor& kept) {
    int64_t count = 0, outputs = 0;
    for (const Linear& layer : layers) count += panels_of(layer), outputs += layer.weight.dim(0);
    for_each_item(exec_, count * parts_, x_.rows * x_.depth * outputs, [&](int64_t thread, int64_t item) {
      int64_t panel = item / parts_;
      const int64_t part = item % parts_, tiles = row_tiles(x_.rows);
      const Linear* layer = layers.data();
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
  const std::span<const Linear> layers_;
  const int64_t threads_;
  int64_t panels_ = 0, parts_;
};

// So many rows at a time as stay in the last cache once they are copied.
void multiply_many(Exec& exec, std::span<const Linear> layers) {
  constexpr int64_t kElements = int64_t{1} << 21, kLeastRows = 192;
  const int64_t rows = layers[0].x.dim(0), in = layers[0].x.dim(1);
  const int64_t most = std::max(kElements / std::max<int64_t>(in, 1), kLeastRows), blocks = (rows + most - 1) / most;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = rows * block / blocks, end = rows * (block + 1) / blocks;
    std::array<Linear, kMostLayers> part;
    for (size_t i = 0; i < layers.size(); ++i) {
      part[i] = layers[i];
      part[i].x = layers[i].x.slice(first, end), part[i].y = layers[i].y.slice(first, end);
      if (layers[i].added.defined()) part[i].added = layers[i].added.slice(first, end);
    }
    ManyRows(exec, std::span(part).first(layers.size())).run();
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

void linear(Exec& exec, std::span<const Linear> layers) {
  if (layers.empty() || layers[0].x.dim(0) == 0) return;
  while (!layers.empty()) {
    const auto some = layers.first(std::min(layers.size(), kMostLayers));
    if (some[0].x.dim(0) > kFewRows)
      multiply_many(exec, some);
    else
      multiply_few(exec, some, [](Share) {});
    layers = layers.subspan(some.size());
  }
}

void linear_gated(Exec& exec, const LinearGated& op) {
  const Linear layers[] = {op.gate, op.up};
  if (op.gate.x.dim(0) > kFewRows || op.product.elements() == 0) {
    cpu::linear(exec, layers);
    return silu_multiply(exec, {.gate = op.gate.y, .up = op.up.y, .product = op.product});
  }
  const auto gate = op.gate.y.view<float, 2>(), up = op.up.y.view<float, 2>(), to = op.product.view<float, 2>();
  multiply_few(exec, layers, [gate, up, to](Share share) {
    for (int64_t r = 0; r < to.dims[0] && share.begin < share.end; ++r)
      silu_row(gate.row(r) + share.begin, up.row(r) + share.begin, share.end - share.begin, to.row(r) + share.begin);
  });
}

void add_weight_gradient(Exec& exec, const LinearBackward& op) {
  if (op.d_y.elements() == 0 || op.x.elements() == 0) return;
  const auto d_y = op.d_y.view<float, 2>();
  multiply_gradient(exec, {.a = d_y.data,
                           .a_row_stride = 1,
                           .a_depth_stride = d_y.strides[0],
                           .b = op.x.data,
                           .b_dtype = DType::f32,
                           .b_stride = op.x.strides[0],
                           .c = op.d_weight.view<float, 2>().data,
                           .c_stride = op.d_weight.strides[0],
                           .rows = op.d_y.dim(1),
                           .depth = op.d_y.dim(0),
                           .width = op.x.dim(1),
                           .accumulate = true});
  if (op.d_bias.defined()) add_column_sums(exec, d_y, op.d_bias.as<float>());
}

void input_gradient(Exec& exec, const LinearBackward& op) {
  if (op.d_x.elements() == 0) return;
  multiply_gradient(exec, {.a = op.d_y.view<float, 2>().data,
                           .a_row_stride = op.d_y.strides[0],
                           .a_depth_stride = 1,
                           .b = op.weight.data,
                           .b_dtype = op.weight.dtype,
                           .b_stride = op.weight.strides[0],
                           .c = op.d_x.view<float, 2>().data,
                           .c_stride = op.d_x.strides[0],
                           .rows = op.d_y.dim(0),
                           .depth = op.weight.dim(0),
                           .width = op.weight.dim(1),
                           .accumulate = op.into == Into::accumulate});
}

void linear_backward(Exec& exec, const LinearBackward& op) {
  if (op.d_weight.defined()) add_weight_gradient(exec, op);
  if (op.d_x.defined()) input_gradient(exec, op);
}

}  // namespace
}  // namespace cpu

namespace {

void expect_weight(const Exec& exec, const ConstTensor& weight, const ConstTensor& x, int64_t out, int64_t in) {
  if (exec.device == Device::cuda) return expect_like(exec, "weight", weight, x, {out, in});
  expect_tensor(exec, "weight", weight, {DType::f32, DType::bf16, DType::f16}, {out, in});
}

// Returns its FLOPs.
double check(const Exec& exec, const Linear& layer, const ConstTensor& x) {
  if (layer.x.data != x.data || layer.x.shape != x.shape || layer.x.strides[0] != x.strides[0])
    throw Error(ErrorKind::internal, "linear", "expected layers of one x");
  expect_floats(exec, "x", x, {-1, -1});
  expect_weight(exec, layer.weight, x, -1, x.dim(1));
  const Shape y = {x.dim(0), layer.weight.dim(0)};
  expect_tensor(exec, "y", layer.y, {x.dtype, DType::f32}, y);
  if (layer.added.defined()) expect_like(exec, "added", layer.added, layer.y, y);
  if (layer.bias.defined()) expect_like(exec, "bias", layer.bias, x, {y[1]});
  return product_flops(y[0], x.dim(1), y[1]);
}

}  // namespace

void linear(Exec& exec, const Linear& op) { linear(exec, std::span(&op, 1)); }

void linear(Exec& exec, std::span<const Linear> layers) {
  double flops = 0;
  for (const Linear& layer : layers) flops += check(exec, layer, layers[0].x);
  run_twin<cpu::linear, cuda::linear>(exec, layers, flops);
}

void linear_gated(Exec& exec, const LinearGated& op) {
  double flops = 0;
  for (const Linear* layer : {&op.gate, &op.up}) flops += check(exec, *layer, op.gate.x);
  expect_like(exec, "up", op.up.y, op.gate.y, op.gate.y.shape);
  expect_like(exec, "product", op.product, op.gate.y, op.gate.y.shape);
  run_twin<cpu::linear_gated, cuda::linear_gated>(exec, op, flops);
}

void linear_backward(Exec& exec, const LinearBackward& op) {
  expect_floats(exec, "d_y", op.d_y, {-1, -1});
  double flops = 0;
  if (op.d_weight.defined()) {
    expect_like(exec, "x", op.x, op.d_y, {op.d_y.dim(0), -1});
    expect_f32(exec, "d_weight", op.d_weight, {op.d_y.dim(1), op.x.dim(1)});
    if (op.d_bias.defined()) expect_f32(exec, "d_bias", op.d_bias, {op.d_y.dim(1)});
    flops += product_flops(op.d_y.dim(0), op.x.dim(1), op.d_y.dim(1));
  }
  if (op.d_x.defined()) {
    expect_weight(exec, op.weight, op.d_y, op.d_y.dim(1), -1);
    expect_like(exec, "d_x", op.d_x, op.d_y, {op.d_y.dim(0), op.weight.dim(1)});
    flops += product_flops(op.d_y.dim(0), op.d_y.dim(1), op.weight.dim(1));
  }
  run_twin<cpu::linear_backward, cuda::linear_backward>(exec, op, flops);
}

}  // namespace eyrie
