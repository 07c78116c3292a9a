#include "cuda/check.cuh"
#include "cuda/launch.cuh"

namespace eyrie::cuda {
namespace {

std::string text(const dim3& size) {
  return std::to_string(size.x) + "x" + std::to_string(size.y) + "x" + std::to_string(size.z);
}

std::string place(const char* name, const LaunchShape& shape) {
  return std::string("kernel ") + name + " (grid " + text(shape.grid) + ", block " + text(shape.block) + ", " +
         std::to_string(shape.shared_bytes) + " shared bytes)";
}

void start(const char* name, const void* kernel, const LaunchShape& shape, const Stream& stream, void** params) {
  constexpr int64_t kWithoutAsking = 48 << 10;
  cudaError_t found = cudaSuccess;
  if (shape.shared_bytes > kWithoutAsking)
    found =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes));
  if (found == cudaSuccess)
    found = cudaLaunchKernel(kernel, shape.grid, shape.block, params, static_cast<size_t>(shape.shared_bytes),
                             stream.handle());
  if (found != cudaSuccess) check(found, place(name, shape));
}

}  // namespace

void launch(const char* name, const void* kernel, const LaunchShape& shape, const LaunchCost& cost,
            const Stream& stream, void** params) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  if (!stream.profile) return start(name, kernel, shape, stream, params);
  stream.profile->begin(stream);
  start(name, kernel, shape, stream, params);
  stream.profile->end(stream, name, cost);
}

}  // namespace eyrie::cuda
