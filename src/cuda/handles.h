// cuda/handles.h: CUDA as the rest of Eyrie sees it: a few owners, move-only, and plain functions. Nothing here needs a
// CUDA header. A build without CUDA has kHasCuda false and no definitions: whoever calls stands under
// `if constexpr (kHasCuda)`.
//
// Every function throws Error{device} with CUDA's own words when CUDA fails; one that runs later (a kernel that went
// astray) is reported by the next call that waits.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/has_cuda.h"

// CUDA's own names behind its handles
struct CUstream_st;
struct CUevent_st;
struct CUgraphExec_st;

namespace eyrie::cuda {

class Profile;

// Empty when there is a device to run on; else one sentence that says what is missing.
std::string find_no_device();
inline std::string why_no_device() {
  if constexpr (kHasCuda) return find_no_device();
  return "this program was built without CUDA";
}

struct DeviceProperties {
  std::string name;
  int compute_capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
  int64_t shared_bytes_per_block = 0;  // at most, opted in
};
const DeviceProperties& device_properties();  // of the current one, asked for once
int64_t free_memory_bytes();

// `bytes` of device memory, aligned to 256. When there is not enough: the size asked for, the size free, and `buffer`,
// what it was for.
void* allocate(int64_t bytes, std::string_view buffer);
void free_memory(void* pointer) noexcept;
// Memory of the host that copies in a stream's order may read and write.
void* allocate_pinned(int64_t bytes);
void free_pinned(void* pointer) noexcept;

void destroy(CUstream_st* stream) noexcept;
void destroy(CUevent_st* event) noexcept;
void destroy(CUgraphExec_st* graph) noexcept;
struct Destroy {
  template <typename Handle>
  void operator()(Handle* handle) const noexcept {
    if constexpr (kHasCuda) destroy(handle);
  }
};

// The order in which a device's work is done; no stream waits for another. Default-constructed: none, for a CPU. While
// `profile` is set, every launch on it is timed.
class Stream {
 public:
  static Stream create();
  void synchronize() const;
  CUstream_st* handle() const { return handle_.get(); }
  Profile* profile = nullptr;

 private:
  std::unique_ptr<CUstream_st, Destroy> handle_;
};

// In the stream's order; they do not wait. Either side of a copy may be host memory: where it is not pinned, CUDA may
// wait.
void copy_bytes(void* to, const void* from, int64_t bytes, const Stream& stream);
// `rows` runs of `width` bytes, `to_stride` and `from_stride` bytes apart.
void copy_rows(void* to, int64_t to_stride, const void* from, int64_t from_stride, int64_t width, int64_t rows,
               const Stream& stream);
void set_bytes(void* to, unsigned char value, int64_t bytes, const Stream& stream);
// For all streams. A test's: a run waits for its own.
void wait_for_device();

// A moment of a stream, to wait for and for timing.
class Event {
 public:
  static Event create();
  explicit operator bool() const { return handle_ != nullptr; }
  void record(const Stream& stream);
  void synchronize() const;  // waits until the stream has reached it
  bool reached() const;      // asked without waiting
  double milliseconds_since(const Event& earlier) const;

 private:
  std::unique_ptr<CUevent_st, Destroy> handle_;
};

}  // namespace eyrie::cuda
