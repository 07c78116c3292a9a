#include <map>
#include <mutex>

#include "cuda/check.cuh"
#include "cuda/handles.h"

namespace eyrie::cuda {
namespace {

std::string mebibytes(int64_t bytes) {
  constexpr int64_t kMiB = int64_t{1} << 20;
  return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

DeviceProperties ask_properties(int device) {
  cudaDeviceProp found;
  check(cudaGetDeviceProperties(&found, device), "device");
  return {.name = found.name,
          .compute_capability = 10 * found.major + found.minor,
          .multiprocessors = found.multiProcessorCount,
          .shared_bytes_per_block = static_cast<int64_t>(found.sharedMemPerBlockOptin)};
}

}  // namespace

std::string find_no_device() {
  int devices = 0;
  const cudaError_t found = cudaGetDeviceCount(&devices);
  if (found == cudaSuccess && devices > 0) return "";
  cudaGetLastError();
  return std::string("no CUDA device was found (") +
         cudaGetErrorString(found == cudaSuccess ? cudaErrorNoDevice : found) + ")";
}

const DeviceProperties& device_properties() {
  static std::mutex one_at_a_time;
  static std::map<int, DeviceProperties> known;
  int device = 0;
  check(cudaGetDevice(&device), "device");
  const std::lock_guard lock(one_at_a_time);
  const auto found = known.find(device);
  return found != known.end() ? found->second : known.emplace(device, ask_properties(device)).first->second;
}

int64_t free_memory_bytes() {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "device memory");
  return static_cast<int64_t>(free);
}

void* allocate(int64_t bytes, std::string_view buffer) {
  void* pointer = nullptr;
  const cudaError_t found = cudaMalloc(&pointer, static_cast<size_t>(bytes > 0 ? bytes : 1));
  if (found == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error(ErrorKind::device, std::string(buffer),
                "too little device memory: asked for " + std::to_string(bytes) + " bytes (" + mebibytes(bytes) +
                    "), free are " + mebibytes(free_memory_bytes()));
  }
  check(found, std::string(buffer));
  return pointer;
}

void* allocate_pinned(int64_t bytes) {
  void* pointer = nullptr;
  check(cudaMallocHost(&pointer, static_cast<size_t>(bytes > 0 ? bytes : 1)), "pinned memory");
  return pointer;
}

// A destructor's failure repeats an error that a launch or a wait has reported.
void free_memory(void* pointer) noexcept { cudaFree(pointer); }
void free_pinned(void* pointer) noexcept { cudaFreeHost(pointer); }
void destroy(CUstream_st* stream) noexcept { cudaStreamDestroy(stream); }
void destroy(CUevent_st* event) noexcept { cudaEventDestroy(event); }

void copy_bytes(void* to, const void* from, int64_t bytes, const Stream& stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream.handle()), "copy in a stream");
}

void copy_rows(void* to, int64_t to_stride, const void* from, int64_t from_stride, int64_t width, int64_t rows,
               const Stream& stream) {
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  check(cudaMemcpy2DAsync(to, size(to_stride), from, size(from_stride), size(width), size(rows), cudaMemcpyDefault,
                          stream.handle()),
        "copy of rows");
}

void set_bytes(void* to, unsigned char value, int64_t bytes, const Stream& stream) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(to, value, static_cast<size_t>(bytes), stream.handle()), "fill of device memory");
}

void wait_for_device() { check(cudaDeviceSynchronize(), "work on the device"); }

Stream Stream::create() {
  Stream made;
  cudaStream_t handle = nullptr;
  check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "stream");
  made.handle_.reset(handle);
  return made;
}

void Stream::synchronize() const { check(cudaStreamSynchronize(handle()), "work on the device"); }

Event Event::create() {
  Event made;
  cudaEvent_t handle = nullptr;
  check(cudaEventCreate(&handle), "event");
  made.handle_.reset(handle);
  return made;
}

void Event::record(const Stream& stream) { check(cudaEventRecord(handle_.get(), stream.handle()), "event"); }

void Event::synchronize() const { check(cudaEventSynchronize(handle_.get()), "work on the device"); }

bool Event::reached() const {
  const cudaError_t found = cudaEventQuery(handle_.get());
  if (found == cudaErrorNotReady) return cudaGetLastError(), false;
  check(found, "event");
  return true;
}

double Event::milliseconds_since(const Event& earlier) const {
  float elapsed = 0;
  check(cudaEventElapsedTime(&elapsed, earlier.handle_.get(), handle_.get()), "event");
  return elapsed;
}

}  // namespace eyrie::cuda
