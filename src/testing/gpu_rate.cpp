#include "testing/gpu_rate.h"

#include <algorithm>

#include "base/random.h"
#include "base/time.h"
#include "testing/gpu_rate_cuda.h"

namespace eyrie::testing {

double gpu_median_ms(Exec& exec, const std::function<void()>& call, double at_least_seconds) {
  constexpr size_t kFewest = 5;
  expect_cuda();
  std::vector<double> milliseconds;
  if constexpr (kHasCuda) {
    call();
    cuda::Event begin = cuda::Event::create(), end = cuda::Event::create();
    exec.stream.synchronize();
    const Stopwatch whole;
    while (milliseconds.size() < kFewest || whole.seconds() < at_least_seconds) {
      begin.record(exec.stream);
      call();
      end.record(exec.stream);
      end.synchronize();
      milliseconds.push_back(end.milliseconds_since(begin));
    }
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return milliseconds[milliseconds.size() / 2];
}

double gpu_matmul_flops(Exec& exec) {
  constexpr int64_t kSize = 8192;
  const Shape shape = {kSize, kSize};
  const Buffer a(DType::bf16, shape, Device::cuda), b(DType::bf16, shape, Device::cuda);
  const Buffer c(DType::bf16, shape, Device::cuda);
  gpu_fill_normal(exec, a, "a");
  gpu_fill_normal(exec, b, "b");
  double milliseconds = 0;
  if constexpr (kHasCuda) {
    const GpuMatmul product(kSize);
    milliseconds = gpu_median_ms(
        exec, [&] { product.run(exec.stream, a.tensor(), b.tensor(), c.tensor()); }, 0.05);
  }
  return 2.0 * kSize * kSize * kSize / (milliseconds * 1e-3);
}

double gpu_copy_bytes(Exec& exec) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  const Buffer from(DType::u8, {kBytes}, Device::cuda), to(DType::u8, {kBytes}, Device::cuda);
  double milliseconds = 0;
  if constexpr (kHasCuda) {
    const auto copy = [&] { cuda::copy_bytes(to.tensor().data, from.tensor().data, kBytes, exec.stream); };
    milliseconds = gpu_median_ms(exec, copy, 0.05);
  }
  return 2.0 * kBytes / (milliseconds * 1e-3);
}

void gpu_fill_normal(Exec& exec, const Tensor& tensor, std::string_view name) {
  expect_device("gpu_fill_normal", tensor, Device::cuda);
  if constexpr (kHasCuda) launch_fill_normal(exec.stream, tensor, hash_name(name));
}

}  // namespace eyrie::testing
