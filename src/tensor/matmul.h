// tensor/matmul.h: products on a GPU, by cuBLASLt: loaded when the first one is asked for, Error{device} when it is
// missing. Sums in f32 (never TF32). No product is split along its depth: an element's bits do not depend on how many
// rows there are (spec §9a).
#pragma once
#include <memory>

#include "cuda/profile.h"
#include "tensor/tensor.h"

namespace eyrie {

// c = a b (+ c) (+ bias), all matrices on the GPU, row by row in memory, any row stride.
struct Product {
  ConstTensor a, b;  // f32 | bf16 | f16, of one dtype: a [m, k], b [k, n]; transposed: [k, m], [n, k]
  bool a_transposed = false, b_transposed = false;
  ConstTensor bias = {};   // [n] like a; undefined: none. Then c has a's dtype
  ConstTensor added = {};  // like c, may be c; undefined: none
  Tensor c;                // [m, n], a's dtype or f32
};

// Of one stream: owns the workspace. Algorithms are chosen by the library once for each kind of product and size class,
// and stay.
class Matmul {
 public:
  Matmul();
  ~Matmul();
  void run(const cuda::Stream& stream, const Product& product, const char* name);  // the name is a profile's

  static constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eyrie
