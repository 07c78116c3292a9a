#include "testing/gpu_rate.h"

#include "base/random.h"
#include "testing/gpu_rate_cuda.h"
#include "testing/harness.h"

namespace eyrie::testing {

double gpu_matmul_flops(Exec& exec) {
  constexpr int64_t kSize = 8192;
  const Shape shape = {kSize, kSize};
  const Buffer a(DType::bf16, shape, Device::cuda), b(DType::bf16, shape, Device::cuda);
  const Buffer c(DType::bf16, shape, Device::cuda);
  gpu_fill_normal(exec, a, "a");
  gpu_fill_normal(exec, b, "b");
  double milliseconds = 0;
  if constexpr (kHasCuda) {
    const Product product = {.a = a, .b = b, .b_transposed = true, .c = c};
    const auto multiply = [&] { exec.matmul().run(exec.stream, product, "product"); };
    multiply();  // the first one loads the kernel
    milliseconds = median_ms(exec, multiply, 0.05);
  }
  return 2.0 * kSize * kSize * kSize / (milliseconds * 1e-3);
}

double gpu_copy_bytes(Exec& exec) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  const Buffer from(DType::u8, {kBytes}, Device::cuda), to(DType::u8, {kBytes}, Device::cuda);
  double milliseconds = 0;
  if constexpr (kHasCuda) {
    const auto copy = [&] { cuda::copy_bytes(to.tensor().data, from.tensor().data, kBytes, exec.stream); };
    milliseconds = median_ms(exec, copy, 0.05);
  }
  return 2.0 * kBytes / (milliseconds * 1e-3);
}

void gpu_fill_normal(Exec& exec, const Tensor& tensor, std::string_view name, double deviation) {
  expect_device("gpu_fill_normal", tensor, Device::cuda);
  if constexpr (kHasCuda) launch_fill_normal(exec.stream, tensor, hash_name(name), deviation);
}

}  // namespace eyrie::testing
