#include <cublasLt.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>

#include "cuda/check.cuh"
#include "tensor/buffer.h"
#include "tensor/matmul.h"

namespace eyrie {
namespace {

constexpr const char* kLibrary = "libcublasLt.so.13";

// The library's functions, by name: a program that multiplies on a CPU alone starts without it.
struct Library {
  void* handle = open();
  decltype(&cublasLtCreate) create = find<decltype(&cublasLtCreate)>("cublasLtCreate");
  decltype(&cublasLtDestroy) destroy = find<decltype(&cublasLtDestroy)>("cublasLtDestroy");
  decltype(&cublasLtGetStatusString) text = find<decltype(&cublasLtGetStatusString)>("cublasLtGetStatusString");
  decltype(&cublasLtMatmul) matmul = find<decltype(&cublasLtMatmul)>("cublasLtMatmul");
  decltype(&cublasLtMatmulDescInit_internal) init_product =
      find<decltype(&cublasLtMatmulDescInit_internal)>("cublasLtMatmulDescInit_internal");
  decltype(&cublasLtMatmulDescSetAttribute) set_product =
      find<decltype(&cublasLtMatmulDescSetAttribute)>("cublasLtMatmulDescSetAttribute");
  decltype(&cublasLtMatrixLayoutInit_internal) init_layout =
      find<decltype(&cublasLtMatrixLayoutInit_internal)>("cublasLtMatrixLayoutInit_internal");
  decltype(&cublasLtMatmulPreferenceInit_internal) init_preference =
      find<decltype(&cublasLtMatmulPreferenceInit_internal)>("cublasLtMatmulPreferenceInit_internal");
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference =
      find<decltype(&cublasLtMatmulPreferenceSetAttribute)>("cublasLtMatmulPreferenceSetAttribute");
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic =
      find<decltype(&cublasLtMatmulAlgoGetHeuristic)>("cublasLtMatmulAlgoGetHeuristic");

  static void* open() {
    void* opened = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (!opened) throw Error(ErrorKind::device, "cuBLASLt", dlerror());
    return opened;
  }
  template <typename Function>
  Function find(const char* name) const {
    void* found = dlsym(handle, name);
    if (!found) throw Error(ErrorKind::device, kLibrary, std::string("expected the function ") + name);
    return reinterpret_cast<Function>(found);
  }
  void check(cublasStatus_t found, const char* place) const {
    if (found != CUBLAS_STATUS_SUCCESS) throw Error(ErrorKind::device, place, text(found));
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

cudaDataType_t number(DType dtype) {
  return dtype == DType::f32 ? CUDA_R_32F : dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_16F;
}

// Sizes that share a choice: three leading bits are told apart. Every size of a class gets what its largest would.
int64_t size_class(int64_t size) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(static_cast<uint64_t>(size))) - 3);
  return (size + (int64_t{1} << shift) - 1) >> shift << shift;
}

// Bytes that the addresses of all its rows are multiples of, 256 at most.
int64_t alignment(const ConstTensor& matrix) {
  const uint64_t bits = reinterpret_cast<uint64_t>(matrix.data) |
                        static_cast<uint64_t>(matrix.strides[0] * size_bytes(matrix.dtype)) | 256;
  return static_cast<int64_t>(bits & -bits);
}

// The library counts columns first: what it calls A is b, B is a, and C is c. A row-major matrix is to it a transposed
// one.
struct Described {
  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t a, b, c, added;

  Described(const Product& p, int64_t rows) {
    const Library& lib = library();
    const char* place = "cuBLASLt";
    lib.check(lib.init_product(&product, sizeof(product), CUBLAS_COMPUTE_32F, CUDA_R_32F), place);
    const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
      lib.check(lib.set_product(&product, name, &value, sizeof(value)), place);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (p.bias.defined()) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias.data);
    }
    const auto layout = [&](cublasLtMatrixLayoutOpaque_t& to, const ConstTensor& matrix, int64_t matrix_rows,
                            int64_t columns) {
      lib.check(lib.init_layout(&to, sizeof(to), number(matrix.dtype), static_cast<uint64_t>(columns),
                                static_cast<uint64_t>(matrix_rows), std::max(matrix.strides[0], columns)),
                place);
    };
    const int64_t depth = p.a_transposed ? rows : p.a.dim(1), m = p.a_transposed ? p.a.dim(1) : rows;
    p.a_transposed ? layout(b, p.a, depth, m) : layout(b, p.a, m, depth);
    p.b_transposed ? layout(a, p.b, p.b.dim(0), depth) : layout(a, p.b, depth, p.b.dim(1));
    layout(c, p.c, m, p.c.dim(1));
    layout(added, p.added.defined() ? p.added : ConstTensor(p.c), m, p.c.dim(1));
  }
};

}  // namespace

struct Matmul::State {
  cublasLtHandle_t handle = nullptr;
  Bytes workspace = allocate_bytes(kWorkspaceBytes, Device::cuda, "cuBLASLt workspace");
  std::map<std::array<int64_t, 8>, cublasLtMatmulAlgo_t> chosen;

  State() { library().check(library().create(&handle), "cuBLASLt"); }
  ~State() { library().destroy(handle); }

  cublasLtMatmulAlgo_t ask(const Product& p, int64_t rows, int64_t aligned) {
    const Library& lib = library();
    Described described(p, rows);
    cublasLtMatmulPreferenceOpaque_t preference;
    lib.check(lib.init_preference(&preference, sizeof(preference)), "cuBLASLt");
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
      lib.check(lib.set_preference(&preference, name, &value, sizeof(value)), "cuBLASLt");
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(kWorkspaceBytes));
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE));
    for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      set(name, static_cast<uint32_t>(aligned));
    cublasLtMatmulHeuristicResult_t best;
    int found = 0;
    lib.check(lib.heuristic(handle, &described.product, &described.a, &described.b, &described.added, &described.c,
                            &preference, 1, &best, &found),
              "cuBLASLt");
    if (found == 0)
      throw Error(ErrorKind::device, "cuBLASLt",
                  "no algorithm for a " + to_string(p.a.shape) + " by " + to_string(p.b.shape) + " product of " +
                      name(p.a.dtype));
    return best.algo;
  }

  const cublasLtMatmulAlgo_t& choose(const Product& p) {
    const int64_t rows = size_class(p.a.dim(0));
    int64_t aligned = std::min({alignment(p.a), alignment(p.b), alignment(p.c)});
    if (p.added.defined()) aligned = std::min(aligned, alignment(p.added));
    const std::array<int64_t, 8> key = {rows,
                                        p.a.dim(1),
                                        p.c.dim(1),
                                        p.a_transposed * 2 + p.b_transposed,
                                        static_cast<int64_t>(p.a.dtype),
                                        static_cast<int64_t>(p.c.dtype),
                                        p.bias.defined() * 2 + p.added.defined(),
                                        aligned};
    const auto known = chosen.find(key);
    if (known != chosen.end()) return known->second;
    return chosen.emplace(key, ask(p, rows, aligned)).first->second;
  }

  void start(const cuda::Stream& stream, const Product& p, const cublasLtMatmulAlgo_t& algorithm) {
    Described described(p, p.a.dim(0));
    const float one = 1, other = p.added.defined() ? 1 : 0;
    const void* added = p.added.defined() ? p.added.data : p.c.data;
    library().check(library().matmul(handle, &described.product, &one, p.b.data, &described.a, p.a.data, &described.b,
                                     &other, added, &described.added, p.c.data, &described.c, &algorithm,
                                     workspace.get(), static_cast<size_t>(kWorkspaceBytes), stream.handle()),
                    "cuBLASLt product");
  }
};

Matmul::Matmul() : state_(std::make_unique<State>()) {}
Matmul::~Matmul() = default;

void Matmul::run(const cuda::Stream& stream, const Product& p, const char* name) {
  const cublasLtMatmulAlgo_t& algorithm = state_->choose(p);
  if (!stream.profile) return state_->start(stream, p, algorithm);
  const double depth = static_cast<double>(p.a.elements()) / static_cast<double>(p.c.dim(0));
  stream.profile->begin(stream);
  state_->start(stream, p, algorithm);
  stream.profile->end(stream, name,
                      {.bytes = static_cast<double>(p.a.bytes() + p.b.bytes() + p.c.bytes()),
                       .flops = 2 * depth * static_cast<double>(p.c.elements())});
}

}  // namespace eyrie
