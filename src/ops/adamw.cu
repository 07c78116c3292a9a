// Bytes of an element: 16 read, 12 or 14 written. Multiplications and additions are rounded one by one, as the CPU's.
#include "ops/adamw.h"
#include "ops/adamw_factors.h"
#include "ops/gpu.cuh"

namespace eyrie::cuda {
namespace {

struct Update {
  static constexpr int kInputs = 4;
  AdamWFactors by;
  const float* gradient;
  float *weight, *first, *second;
  __nv_bfloat16* working;  // null: none

  template <int kVec>
  __device__ __forceinline__ void load(int64_t, int64_t i, float (&in)[kInputs][kVec]) const {
    cuda::load(gradient + i, in[0]);
    cuda::load(first + i, in[1]);
    cuda::load(second + i, in[2]);
    cuda::load(weight + i, in[3]);
  }
  template <int kVec>
  __device__ __forceinline__ void finish(int64_t, int64_t i, const float (&in)[kInputs][kVec]) const {
    float m[kVec], v[kVec], w[kVec];
#pragma unroll
    for (int j = 0; j < kVec; ++j) {
      const float g = by.scale * in[0][j];
      m[j] = __fadd_rn(__fmul_rn(by.beta1, in[1][j]), __fmul_rn(by.rest1, g));
      v[j] = __fadd_rn(__fmul_rn(by.beta2, in[2][j]), __fmul_rn(__fmul_rn(by.rest2, g), g));
      const float step = __fdiv_rn(by.rate * m[j], __fadd_rn(__fmul_rn(__fsqrt_rn(v[j]), by.unbias), by.epsilon));
      w[j] = in[3][j] - __fadd_rn(step, __fmul_rn(by.decay, in[3][j]));
    }
    store(first + i, m);
    store(second + i, v);
    store(weight + i, w);
    if (working) store(working + i, w);
  }
};

}  // namespace

void adamw(Exec& exec, const AdamW& op) {
  const ConstTensor working = op.working.defined() ? op.working : op.weight;
  const auto aligned = [](const ConstTensor& t) { return reinterpret_cast<uintptr_t>(t.data) % 16 == 0; };
  const int64_t elements = op.weight.elements();
  const bool vectors = elements % kVector<float> == 0 && aligned(op.weight) && aligned(op.gradient) &&
                       aligned(op.first_moment) && aligned(op.second_moment) && aligned(working);
  if (!working.contiguous()) throw Error(ErrorKind::internal, "working", "expected contiguous elements");
  for_each_element<kVector<float>>("adamw", exec, 1, elements, vectors,
                                   {.bytes = op.working.defined() ? 30.0 : 28.0, .flops = 16},
                                   Update{.by = adamw_factors(op),
                                          .gradient = op.gradient.as<float>(Device::cuda),
                                          .weight = op.weight.as<float>(Device::cuda),
                                          .first = op.first_moment.as<float>(Device::cuda),
                                          .second = op.second_moment.as<float>(Device::cuda),
                                          .working = static_cast<__nv_bfloat16*>(op.working.data)});
}

}  // namespace eyrie::cuda
