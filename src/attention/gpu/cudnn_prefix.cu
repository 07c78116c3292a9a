// The graph that cuDNN knows as causal flash attention with its log-sum-exp: q k, scale, mask, softmax, v.
#include "attention/cost.h"
#include "attention/gpu/cudnn_prefix.cuh"
#include "base/log.h"

#if __has_include(<cudnn.h>)
#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/check.cuh"
#include "cuda/cudnn.cuh"

namespace eyrie::gpu {
namespace {

using cuda::cudnn;
using cuda::CudnnDescriptor;
using Dims = std::array<int64_t, 4>;  // batch, heads, rows, columns
constexpr int64_t kAlignment = 16;    // bytes, of every tensor

enum Id : int64_t { kQ = 1, kK, kV, kO, kLse, kScale, kMasked, kFirstVirtual = 100 };

Dims packed(const Dims& dims) { return {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1}; }

struct Value {  // a tensor of the graph
  cudnnBackendDescriptor_t handle;
  Dims dims;
};

class Graph {
 public:
  Value tensor(Id id, cudnnDataType_t type, const Dims& dims, const Dims& strides) {
    return {add(begin(id, type, dims, strides)), dims};
  }
  Value scalar(Id id) {  // of the host, read when the plan is run
    auto made = begin(id, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1});
    made.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, true);
    return {add(std::move(made)), {1, 1, 1, 1}};
  }
  Value within(const Dims& dims, cudnnDataType_t type = CUDNN_DATA_FLOAT) {  // never leaves the chip
    auto made = begin(static_cast<Id>(next_id_++), type, dims, packed(dims));
    made.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
    return {add(std::move(made)), dims};
  }

  void matmul(const Value& a, const Value& b, const Value& c) {
    CudnnDescriptor how(CUDNN_BACKEND_MATMUL_DESCRIPTOR), made(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    how.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    made.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, add(std::move(how)))
        .set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a.handle)
        .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b.handle)
        .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c.handle);
    operations_.push_back(add(std::move(made)));
  }
  Value reduce(cudnnReduceTensorOp_t mode, const Value& x) {  // over the columns
    const Value y = within({x.dims[0], x.dims[1], x.dims[2], 1});
    CudnnDescriptor how(CUDNN_BACKEND_REDUCTION_DESCRIPTOR), made(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    how.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, mode);
    made.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, add(std::move(how)))
        .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x.handle)
        .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y.handle);
    operations_.push_back(add(std::move(made)));
    return y;
  }
  // y = mode(x, b), or b where `choice` is false; `axis` of a generated index.
  struct Operands {
    Value x;
    const Value *b = nullptr, *choice = nullptr;
    int64_t axis = -1;
    cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  };
  void pointwise(cudnnPointwiseMode_t mode, const Operands& given, const Value& y) {
    CudnnDescriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR), made(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    how.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode)
        .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, given.compute);
    if (given.axis >= 0) how.set(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, given.axis);
    made.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, add(std::move(how)))
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, given.x.handle)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y.handle);
    if (given.b) made.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, given.b->handle);
    if (given.choice) made.set(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, given.choice->handle);
    operations_.push_back(add(std::move(made)));
  }

  // By the first of cuDNN's suggestions that it can build.
  CudnnDescriptor plan(cudnnHandle_t handle) {
    CudnnDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR), suggest(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle)
        .set_all(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                 std::span<const cudnnBackendDescriptor_t>(operations_))
        .finish();
    suggest.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.handle())
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A)
        .finish();
    constexpr int64_t kMost = 8;
    std::vector<CudnnDescriptor> engines;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (int64_t i = 0; i < kMost; ++i)
      handles.push_back(engines.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).handle());
    int64_t count = 0;
    cudnn().check(cudnn().get_attribute(suggest.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                        kMost, &count, handles.data()),
                  "cuDNN heuristics");
    cudnnStatus_t last = CUDNN_STATUS_NOT_SUPPORTED;
    for (int64_t i = 0; i < std::min(count, kMost); ++i) {
      CudnnDescriptor made(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      made.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle)
          .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, handles[static_cast<size_t>(i)]);
      last = cudnn().finalize(made.handle());
      if (last == CUDNN_STATUS_SUCCESS) return made;
    }
    throw Error(ErrorKind::device, "cuDNN", std::string("no kernel for this shape, ") + cudnn().error_string(last));
  }

 private:
  static CudnnDescriptor begin(Id id, cudnnDataType_t type, const Dims& dims, const Dims& strides) {
    CudnnDescriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type)
        .set_all(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, std::span<const int64_t>(dims))
        .set_all(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, std::span<const int64_t>(strides))
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, static_cast<int64_t>(id))
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment);
    return made;
  }
  cudnnBackendDescriptor_t add(CudnnDescriptor made) { return parts_.emplace_back(std::move(made)).finish().handle(); }

  std::deque<CudnnDescriptor> parts_;  // the plan keeps what it needs of them
  std::vector<cudnnBackendDescriptor_t> operations_;
  int64_t next_id_ = kFirstVirtual;
};

int current_device() {
  int device = 0;
  cuda::check(cudaGetDevice(&device), "device");
  return device;
}

// What a plan is built for.
struct PlanKey {
  int device;
  DType dtype;
  int64_t rows, q_heads, kv_heads, dim, q_row, q_head, k_row, k_head, v_row, v_head;
  auto operator<=>(const PlanKey&) const = default;

  explicit PlanKey(const SuffixAttention& problem)
      : device(current_device()),
        dtype(problem.q.dtype),
        rows(problem.q.dim(0)),
        q_heads(problem.q.dim(1)),
        kv_heads(problem.prefix_k.dim(1)),
        dim(problem.q.dim(2)),
        q_row(problem.q.strides[0]),
        q_head(problem.q.strides[1]),
        k_row(problem.prefix_k.strides[0]),
        k_head(problem.prefix_k.strides[1]),
        v_row(problem.prefix_v.strides[0]),
        v_head(problem.prefix_v.strides[1]) {}
};

// One handle for each device, used under one_at_a_time.
cudnnHandle_t handle_of(int device) {
  static std::map<int, cudnnHandle_t> handles;
  cudnnHandle_t& handle = handles[device];
  if (!handle) cudnn().check(cudnn().create(&handle), "cuDNN handle");
  return handle;
}

CudnnDescriptor build(const PlanKey& s, cudnnHandle_t handle) {
  Graph graph;
  const cudnnDataType_t type = s.dtype == DType::f16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
  const Dims scores = {1, s.q_heads, s.rows, s.rows}, outputs = {1, s.q_heads, s.rows, s.dim};
  const auto strides = [&](int64_t row, int64_t head) { return Dims{s.rows * row, head, row, 1}; };
  const Value q = graph.tensor(kQ, type, outputs, strides(s.q_row, s.q_head));
  const Value k_turned =
      graph.tensor(kK, type, {1, s.kv_heads, s.dim, s.rows}, {s.rows * s.k_row, s.k_head, 1, s.k_row});
  const Value v = graph.tensor(kV, type, {1, s.kv_heads, s.rows, s.dim}, strides(s.v_row, s.v_head));
  const Value o = graph.tensor(kO, type, outputs, strides(s.q_heads * s.dim, s.dim));
  const Value lse =
      graph.tensor(kLse, CUDNN_DATA_FLOAT, {1, s.q_heads, s.rows, 1}, {s.rows * s.q_heads, 1, s.q_heads, 1});

  const Value product = graph.within(scores), scale = graph.scalar(kScale), scaled = graph.within(scores);
  graph.matmul(q, k_turned, product);
  graph.pointwise(CUDNN_POINTWISE_MUL, {.x = product, .b = &scale}, scaled);

  const Value row = graph.within(scores, CUDNN_DATA_INT32), column = graph.within(scores, CUDNN_DATA_INT32);
  const Value sees = graph.within(scores, CUDNN_DATA_BOOLEAN), masked = graph.scalar(kMasked),
              seen = graph.within(scores);
  graph.pointwise(CUDNN_POINTWISE_GEN_INDEX, {.x = scaled, .axis = 2}, row);
  graph.pointwise(CUDNN_POINTWISE_GEN_INDEX, {.x = scaled, .axis = 3}, column);
  graph.pointwise(CUDNN_POINTWISE_CMP_GE, {.x = row, .b = &column, .compute = CUDNN_DATA_BOOLEAN}, sees);
  graph.pointwise(CUDNN_POINTWISE_BINARY_SELECT, {.x = scaled, .b = &masked, .choice = &sees}, seen);

  const Value highest = graph.reduce(CUDNN_REDUCE_TENSOR_MAX, seen);
  const Value lowered = graph.within(scores), weight = graph.within(scores), share = graph.within(scores, type);
  graph.pointwise(CUDNN_POINTWISE_SUB, {.x = seen, .b = &highest}, lowered);
  graph.pointwise(CUDNN_POINTWISE_EXP, {.x = lowered}, weight);
  const Value sum = graph.reduce(CUDNN_REDUCE_TENSOR_ADD, weight), log_sum = graph.within(lse.dims);
  graph.pointwise(CUDNN_POINTWISE_LOG, {.x = sum}, log_sum);
  graph.pointwise(CUDNN_POINTWISE_ADD, {.x = highest, .b = &log_sum}, lse);
  graph.pointwise(CUDNN_POINTWISE_DIV, {.x = weight, .b = &sum}, share);
  graph.matmul(share, v, o);
  return graph.plan(handle);
}

// A kernel of cuDNN for one shape.
class Plan {
 public:
  explicit Plan(const PlanKey& shape) : handle_(handle_of(shape.device)), plan_(build(shape, handle_)) {
    int64_t count = 0;
    cudnn().check(cudnn().get_attribute(plan_.handle(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                        &count, &bytes_),
                  "cuDNN workspace");
  }
  int64_t bytes() const { return bytes_; }
  void run(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) const {
    const ScratchScope scope(exec.scratch);
    float scale = problem.scale, masked = -std::numeric_limits<float>::infinity();
    void* const workspace = bytes_ > 0 ? exec.scratch.take(DType::u8, {bytes_}).data : nullptr;
    const std::array<int64_t, 7> ids = {kQ, kK, kV, kO, kLse, kScale, kMasked};
    const auto read = [](const ConstTensor& tensor) { return const_cast<void*>(tensor.data); };
    const std::array<void*, 7> pointers = {
        read(problem.q), read(problem.prefix_k), read(problem.prefix_v), o.data, lse.data, &scale, &masked};
    CudnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set_all(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::span<const int64_t>(ids))
        .set_all(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::span<void* const>(pointers))
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace)
        .finish();
    cudnn().check(cudnn().set_stream(handle_, exec.stream.handle()), "cuDNN stream");
    const cuda::LaunchCost cost = AttentionCost::of(exec, problem).forward(0);
    cuda::Profile* const profile = exec.stream.profile;
    if (profile) profile->begin(exec.stream);
    cudnn().check(cudnn().execute(handle_, plan_.handle(), pack.handle()), "cuDNN causal attention");
    if (profile) profile->end(exec.stream, "attention forward, cuDNN", cost);
  }

 private:
  cudnnHandle_t handle_;
  CudnnDescriptor plan_;
  int64_t bytes_ = 0;
};

std::mutex one_at_a_time;  // handles and plans are the process's

bool capturing(const Exec& exec) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cuda::check(cudaStreamIsCapturing(exec.stream.handle(), &status), "stream");
  return status != cudaStreamCaptureStatusNone;
}

// Built when a shape is new and may be built; null where there is none. Kept for good: graphs may hold its kernels.
const Plan* find_plan(const SuffixAttention& problem, bool may_build) {
  constexpr int kHopper = 90;
  constexpr size_t kMostPlans = 256;
  static auto& plans = *new std::map<PlanKey, std::unique_ptr<const Plan>>;  // never destroyed: CUDA may be gone first
  if (!problem.whole_sequence || problem.q.dim(0) == 0) return nullptr;
  if (cuda::device_properties().compute_capability != kHopper) return nullptr;
  const PlanKey shape(problem);
  if (const auto found = plans.find(shape); found != plans.end()) return found->second.get();
  if (!may_build) return nullptr;
  const auto say = [](const std::string& why) {
    log_info_once("attention: merge takes its own prefix kernel: " + why);
  };
  if (plans.size() == kMostPlans) {
    say("cuDNN's was built for enough shapes");
    return nullptr;
  }
  std::unique_ptr<const Plan>& made = plans[shape];
  try {
    made = std::make_unique<Plan>(shape);
  } catch (const Error& error) {
    say(error.what());
  }
  return made.get();
}

}  // namespace

bool run_cudnn_prefix(Exec& exec, const SuffixAttention& problem, const Tensor& o, const Tensor& lse) {
  const bool fits = o.contiguous() && lse.contiguous() && reinterpret_cast<uintptr_t>(lse.data) % kAlignment == 0;
  const std::lock_guard lock(one_at_a_time);
  const Plan* const plan = fits ? find_plan(problem, !capturing(exec)) : nullptr;
  if (plan) plan->run(exec, problem, o, lse);
  return plan != nullptr;
}

int64_t cudnn_prefix_bytes(const SuffixAttention& problem) {
  const std::lock_guard lock(one_at_a_time);
  const Plan* const plan = find_plan(problem, true);
  return plan ? plan->bytes() : 0;
}

}  // namespace eyrie::gpu

#else  // nothing to compile against

namespace eyrie::gpu {
bool run_cudnn_prefix(Exec&, const SuffixAttention& problem, const Tensor&, const Tensor&) {
  if (problem.whole_sequence) log_info_once("attention: merge takes its own prefix kernel: built without cuDNN");
  return false;
}
int64_t cudnn_prefix_bytes(const SuffixAttention&) { return 0; }
}  // namespace eyrie::gpu

#endif
