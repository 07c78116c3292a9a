#include <cblas.h>

#include <algorithm>

#include "base/time.h"
#include "tensor/buffer.h"
#include "testing/machine_peak.h"

namespace eyrie::testing {

double sgemm_flops() {
  constexpr int kSize = 1536, kRepeats = 3;
  const Buffer a = Buffer::zeros(DType::f32, {kSize, kSize}), b = Buffer::zeros(DType::f32, {kSize, kSize});
  const Buffer c = Buffer::zeros(DType::f32, {kSize, kSize});
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    Stopwatch watch;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kSize, kSize, kSize, 1.0f, a.tensor().as<float>(), kSize,
                b.tensor().as<float>(), kSize, 0.0f, c.tensor().as<float>(), kSize);
    best = std::max(best, 2.0 * kSize * kSize * kSize / watch.seconds());
  }
  return best;
}

}  // namespace eyrie::testing
